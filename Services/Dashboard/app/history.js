// Readings of the past, as a chart wants them.

const WIDTHS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];
const DAY_S = 86_400;

/**
 * Metrics in buckets of one width, side by side.
 * @param {import("../martlet/rest.js").API} api
 * @param {string} path the appliance's
 * @param {string[]} metrics
 * @param {[number, number]} window milliseconds since 1970
 * @param {{ points?: number, signal?: AbortSignal }} [options] `points`: about so many
 * @returns {Promise<import("./chart.js").Row[]>}
 */
export async function bucketRows(api, path, metrics, [from, to], { points = 400, signal } = {}) {
  const seconds = (to - from) / 1000;
  // A window of more than a day is answered from roll-ups of whole minutes.
  const bucket_s = WIDTHS_S.find((width) => width * points >= seconds && (seconds < DAY_S || width >= 60)) ?? DAY_S;
  const query = { bucket_s, from: new Date(from).toISOString(), to: new Date(to).toISOString(), limit: 1000 };
  const pages = await Promise.all(
    metrics.map((metric) => api.ask("GET", `${path}/readings/buckets`, { query: { ...query, metric }, signal }))
  );
  const rows = new Map();
  pages.forEach(({ buckets }, place) => {
    for (const { start, average } of buckets) {
      const at = Date.parse(start) + (bucket_s * 1000) / 2;
      if (!rows.has(at)) rows.set(at, [at, ...metrics.map(() => null)]);
      rows.get(at)[place + 1] = average;
    }
  });
  return [...rows.values()].sort((a, b) => a[0] - b[0]);
}
