// What a picture lacks, in words for its caption. Pure.

/** missing: those of the `of` slices a picture is made of that are not exact in it. Empty words if nothing is missing. */
export function lacking(missing, of, { failed, loaded, goal, K }) {
  if (!missing.size) return "";
  const lost = [...missing].every((k) => failed.has(k));
  if (of === 1) return lost ? "the exact slice cannot be read" : "loading the exact slice";
  const some = `${missing.size} of ${of} slices`;
  if (lost) return `${some} cannot be read`;
  return goal < K && loaded >= goal ? `${some} are not exact: memory holds ${goal}` : `loading ${some}`;
}
