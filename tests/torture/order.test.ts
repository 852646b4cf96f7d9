import { expect, test } from "vitest";
import { broken, orderRun, places } from "./order.ts";

const options = { keys: 20, events: 50, processes: 3, kills: 3, seed: 20_261_126 };

// A small one: `pnpm order` runs 20 keys with 500 events each.
test.each(Object.entries(places))(
  "events of a key are handled one at a time and in order by several processes that are killed, on %s",
  async (_, open) => {
    const place = await open();
    try {
      const report = await orderRun(place.url, options);
      console.log(JSON.stringify(report));
      expect(report).toMatchObject({ acked: 1000, inversions: 0, overlaps: 0, lost: 0 });
    } finally {
      await place.remove();
    }
  },
);

test("the control, without orderBy, is caught", async () => {
  const report = await orderRun("", { ...options, kills: 0, unordered: true });
  console.log(JSON.stringify(report));
  expect(report.inversions).toBeGreaterThan(0);
  expect(broken(report)).toBe(true);
});
