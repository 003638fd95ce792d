/** The call and its pages, against a server that answers as Service Quotas does. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { ec2Quotas } from "./service-quotas.ts";

interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}
const calls: Call[] = [];
let answers: { status: number; body: unknown }[] = [];
let server: Server;

// The SDK takes seconds to load where there is little to do it with.
beforeAll(async () => {
  await import("@aws-sdk/client-ec2");
}, 60_000);
beforeEach(async () => {
  calls.length = 0;
  const reply = async (request: IncomingMessage, response: ServerResponse) => {
    calls.push({ headers: request.headers, body: await json(request) });
    const { status, body } = answers.shift() ?? { status: 500, body: {} };
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
  };
  server = createServer((request, response) => void reply(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "of nobody");
  vi.stubEnv("AWS_SESSION_TOKEN", "a session");
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});

it("asks for all pages, signed for the service and region, and tells values by code", async () => {
  answers = [
    { status: 200, body: { Quotas: [{ QuotaCode: "L-1216C47A", Value: 64 }, { QuotaCode: "L-0" }], NextToken: "more" } },
    { status: 200, body: { Quotas: [{ QuotaCode: "L-34B43A08", Value: 0 }], NextToken: null } },
  ];
  expect([...(await ec2Quotas("eu-central-1"))]).toEqual([
    ["L-1216C47A", 64],
    ["L-34B43A08", 0],
  ]);
  expect(calls.map(({ body }) => body)).toEqual([
    { ServiceCode: "ec2", MaxResults: 100 },
    { ServiceCode: "ec2", MaxResults: 100, NextToken: "more" },
  ]);
  for (const { headers } of calls) {
    expect(headers).toMatchObject({ "x-amz-target": "ServiceQuotasV20190624.ListServiceQuotas", "x-amz-security-token": "a session" });
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/servicequotas\/aws4_request, SignedHeaders=[^,]*host[^,]*,/,
    );
  }
});

it("says in AWS' words that it may not, and asks no second time", async () => {
  answers = [{ status: 400, body: { __type: "com.amazonaws.servicequotas#AccessDeniedException", Message: "User is not authorized" } }];
  await expect(ec2Quotas("eu-central-1")).rejects.toMatchObject({
    code: "cloud-not-allowed",
    message: "AWS: AccessDeniedException: User is not authorized",
  });
  expect(calls).toHaveLength(1);
});

it("asks again when it was too often", async () => {
  answers = [
    { status: 400, body: { __type: "TooManyRequestsException", message: "Too many requests" } },
    { status: 200, body: { Quotas: [{ QuotaCode: "L-1216C47A", Value: 5 }] } },
  ];
  expect((await ec2Quotas("eu-central-1")).get("L-1216C47A")).toBe(5);
  expect(calls).toHaveLength(2);
});

it("says that nobody is there", async () => {
  await new Promise((resolve) => server.close(resolve));
  await expect(ec2Quotas("eu-central-1")).rejects.toMatchObject({ code: "cloud-unreachable", where: "quotas of AWS eu-central-1" });
});

it("stops when it is called off", async () => {
  await expect(ec2Quotas("eu-central-1", AbortSignal.abort())).rejects.toThrow(/abort/);
  expect(calls).toEqual([]);
});
