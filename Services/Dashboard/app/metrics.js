// Prometheus' text format, as far as a page needs it.

/** @typedef {{ name: string, labels: string, value: number }} Sample */

/** @param {string} text @returns {Sample[]} */
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/i.exec(line);
    if (match) samples.push({ name: match[1], labels: match[2] ?? "", value: Number(match[3]) });
  }
  return samples;
}

/** The sum over all labels; undefined where there is none. @param {Sample[]} samples @param {string} name */
export function sumOf(samples, name) {
  const found = samples.filter((sample) => sample.name === name && Number.isFinite(sample.value));
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}
