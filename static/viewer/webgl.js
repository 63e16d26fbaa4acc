// The picture on the GPU: HU as a texture, window, interpolation, overlay and patterns in the shader.

import { alphas, SETS, STYLES } from "./palette.js";

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2((gl_VertexID << 1) & 2, gl_VertexID & 2) * 2.0 - 1.0, 0.0, 1.0); }`;

// The four greys around a pixel are windowed, in whole numbers as in window.js, and then blended.
const FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp isampler2D; precision highp usampler2D;
uniform isampler2D ct; uniform usampler2D bits;
uniform ivec2 size, window;
uniform vec2 origin, cell;
uniform float height, line;
uniform int palette[${SETS}], pattern[${STYLES.length}], period;
uniform bool overlay;
uniform vec4 colour[${STYLES.length}];
uniform float strong;
out vec4 pixel;
const vec3 ground = vec3(6.0, 8.0, 10.0) / 255.0;
vec3 grey(ivec2 at) {
  int hu = texelFetch(ct, clamp(at, ivec2(0), size - 1), 0).r;
  if (hu == -32768) return ground;
  int top = (2 * (hu - window.x) + window.y) * 255 + window.y;
  return vec3(float(clamp(top < 0 ? 0 : top / (2 * window.y), 0, 255)) / 255.0);
}
int style(ivec2 at) {
  if (any(lessThan(at, ivec2(0))) || any(greaterThanEqual(at, size))) return 0;
  return palette[texelFetch(bits, at, 0).r];
}
void main() {
  vec2 p = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 at = (p - origin) / cell;
  if (any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, vec2(size)))) { pixel = vec4(ground, 1.0); return; }
  vec2 q = at - 0.5, f = fract(q);
  ivec2 a = ivec2(floor(q)), v = ivec2(floor(at));
  vec3 shown = mix(mix(grey(a), grey(a + ivec2(1, 0)), f.x), mix(grey(a + ivec2(0, 1)), grey(a + 1), f.x), f.y);
  int mine = overlay ? style(v) : 0;
  if (mine > 0) {
    vec2 near = p - origin - vec2(v) * cell, far = cell - near;
    bool edge = (near.x < line && style(v - ivec2(1, 0)) != mine) || (far.x <= line && style(v + ivec2(1, 0)) != mine)
      || (near.y < line && style(v - ivec2(0, 1)) != mine) || (far.y <= line && style(v + ivec2(0, 1)) != mine);
    ivec2 s = ivec2(p);
    int thick = max(1, period / 5);
    bool drawn = strong > 0.0 && ((pattern[mine] == 1 && (s.x + s.y) % period < thick)
      || (pattern[mine] == 2 && s.x % period < 2 * thick && s.y % period < 2 * thick));
    shown = mix(shown, colour[mine].rgb, colour[mine].a);
    if (drawn) shown = mix(shown, colour[mine].rgb, strong);
    if (edge) shown = colour[mine].rgb;
  }
  pixel = vec4(shown, 1.0);
}`;

export class WebGl {
  /** any: take a software renderer too. Throws where there is no WebGL 2. lost() is called when the GPU is taken away. */
  constructor(canvas, { any = false, lost }) {
    this.name = "webgl";
    this.canvas = canvas;
    const wishes = { alpha: false, antialias: false, depth: false, stencil: false, failIfMajorPerformanceCaveat: !any };
    const gl = (this.gl = canvas.getContext("webgl2", { ...wishes, preserveDrawingBuffer: false, powerPreference: "high-performance" }));
    if (!gl) throw new Error("no WebGL 2");
    if (!any && isImitated(gl)) throw new Error("WebGL 2 in software");
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      lost();
    });
    this.program = programOf(gl);
    gl.useProgram(this.program);
    this.places = {};
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.uniform1i(this.#place("ct"), 0);
    gl.uniform1i(this.#place("bits"), 1);
    this.kept = new Map();
  }

  #place(name) {
    return (this.places[name] ??= this.gl.getUniformLocation(this.program, name));
  }

  begin(width, height) {
    const { gl, canvas } = this;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.disable(gl.SCISSOR_TEST);
    gl.viewport(0, 0, width, height);
    gl.clearColor(6 / 255, 8 / 255, 10 / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  end() {}

  forget(pane) {
    const kept = this.kept.get(pane);
    if (!kept) return;
    this.gl.deleteTexture(kept.ct);
    this.gl.deleteTexture(kept.bits);
    this.kept.delete(pane);
  }

  /** Draw one pane. rect, frame: in device pixels. look: {level, width, palette, fill, line, period}. */
  draw(pane, rect, frame, look) {
    const { gl } = this, kept = this.#keep(pane), { rows, cols } = pane.plane, height = this.canvas.height;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, kept.ct);
    if (kept.ctVersion !== pane.ctVersion) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, cols, rows, gl.RED_INTEGER, gl.SHORT, pane.ct);
      kept.ctVersion = pane.ctVersion;
    }
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, kept.bits);
    const changed = pane.take(), upload = kept.hasBits ? changed : pane.whole;
    if (upload) this.#uploadBits(pane, upload);
    kept.hasBits = true;
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(rect.x, height - rect.y - rect.height, rect.width, rect.height);
    gl.uniform2i(this.#place("size"), cols, rows);
    gl.uniform2i(this.#place("window"), look.level, look.width);
    gl.uniform2f(this.#place("origin"), frame.left, frame.top);
    gl.uniform2f(this.#place("cell"), frame.pxPerCol, frame.pxPerRow);
    gl.uniform1f(this.#place("height"), height);
    gl.uniform1f(this.#place("line"), look.line);
    gl.uniform1i(this.#place("period"), look.period);
    gl.uniform1i(this.#place("overlay"), pane.hasBits ? 1 : 0);
    gl.uniform1f(this.#place("strong"), look.fill ? 0.85 : 0);
    gl.uniform1iv(this.#place("palette"), Int32Array.from(look.palette));
    gl.uniform1iv(this.#place("pattern"), Int32Array.from(STYLES, (style) => style?.pattern ?? 0));
    gl.uniform4fv(this.#place("colour"), coloursOf(look.fill));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #uploadBits(pane, { row0, row1, col0, col1 }) {
    const { gl } = this, { cols } = pane.plane;
    gl.pixelStorei(gl.UNPACK_ROW_LENGTH, cols);
    gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, col0);
    gl.pixelStorei(gl.UNPACK_SKIP_ROWS, row0);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, col0, row0, col1 - col0, row1 - row0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, pane.bits);
    for (const what of [gl.UNPACK_ROW_LENGTH, gl.UNPACK_SKIP_PIXELS, gl.UNPACK_SKIP_ROWS]) gl.pixelStorei(what, 0);
  }

  #keep(pane) {
    const { gl } = this, { rows, cols } = pane.plane;
    const kept = this.kept.get(pane);
    if (kept?.rows === rows && kept.cols === cols) return kept;
    this.forget(pane);
    const made = { rows, cols, ct: texture(gl, gl.R16I, cols, rows), bits: texture(gl, gl.R8UI, cols, rows) };
    this.kept.set(pane, made);
    return made;
  }
}

/** Not every browser counts a processor that plays the GPU as a performance caveat; its name tells. */
function isImitated(gl) {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(gl.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
}

function coloursOf(fill) {
  return Float32Array.from(STYLES.flatMap((style) => {
    if (!style) return [0, 0, 0, 0];
    return [...style.rgb.map((v) => v / 255), fill ? Math.round(alphas(style, fill).fill * 255) / 255 : 0];
  }));
}

function texture(gl, form, cols, rows) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texStorage2D(gl.TEXTURE_2D, 1, form, cols, rows);
  for (const [what, value] of [
    [gl.TEXTURE_MIN_FILTER, gl.NEAREST], [gl.TEXTURE_MAG_FILTER, gl.NEAREST],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
  ]) gl.texParameteri(gl.TEXTURE_2D, what, value);
  return made;
}

function programOf(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`the shader does not link: ${gl.getProgramInfoLog(program)}`);
  return program;
}
