import { describe, expect, test } from "vitest";
import { parseInstanceAction, parseRebalance } from "./aws.ts";

describe("what EC2 says", () => {
  // The example of the EC2 User Guide, "Spot Instance interruption notices", instance-action.
  test.each(["terminate", "stop", "hibernate"])("an instance that is to %s is reclaimed, at the time that is named", (action) => {
    expect(parseInstanceAction(`{"action": "${action}", "time": "2017-09-18T08:22:00Z"}`)).toEqual({
      kind: "reclaim",
      at: Date.UTC(2017, 8, 18, 8, 22),
      text: `EC2 takes this spot instance back (${action})`,
    });
  });

  // The example of the EC2 User Guide, "EC2 instance rebalance recommendations".
  test("a rebalance recommendation is an advice", () => {
    expect(parseRebalance('{"noticeTime":"2020-10-27T08:22:00Z"}')).toMatchObject({
      kind: "rebalance",
      at: Date.UTC(2020, 9, 27, 8, 22),
    });
  });

  test.each(["", "<html>404</html>", "{}", '{"action": "terminate", "time": "soon"}', '{"time": "2017-09-18T08:22:00Z"}'])(
    "%j is no notice",
    (body) => {
      expect(() => parseInstanceAction(body)).toThrow("not the documented one");
      expect(() => parseRebalance(body)).toThrow("not the documented one");
    },
  );
});
