import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { joinPool } from "./join.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";

let master: FakeMaster;
let metadata: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const asked: string[] = [];
let address: string;

beforeEach(async () => {
  asked.length = 0;
  master = await fakeMaster();
  metadata = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`;
});
afterEach(async () => {
  metadata.close();
  await master.close();
});

async function joined(cloud: "aws" | "azure" | undefined, token = "instance.secret") {
  const config = { ...(await master.node("m1", { joined: false })), ...(cloud === undefined ? {} : { cloud }) };
  return joinPool({ config, force: false, readToken: async () => token, metadata: address, retryMs: 10 });
}

function answerAws({ headers, method, url }: IncomingMessage, response: ServerResponse): void {
  if (method === "PUT" && url === "/latest/api/token" && headers["x-aws-ec2-metadata-token-ttl-seconds"] === "60") response.end("session");
  else if (headers["x-aws-ec2-metadata-token"] !== "session") response.writeHead(401).end();
  else if (url === "/latest/dynamic/instance-identity/document") response.end('{\n  "instanceId" : "i-0abc"\n}');
  else if (url === "/latest/dynamic/instance-identity/rsa2048") response.end("MIAG\nCSqG\n");
  else response.writeHead(404).end();
}

/** Its attested data is not parsed here: that it bears the nonce is all that is looked at. */
function answerAzure({ headers, url = "" }: IncomingMessage, response: ServerResponse, nonceOf = (nonce: string) => nonce): void {
  const { pathname, searchParams } = new URL(url, "http://x");
  if (headers.metadata !== "true" || pathname !== "/metadata/attested/document" || searchParams.get("api-version") !== "2020-09-01") {
    response.writeHead(400).end();
    return;
  }
  const signature = Buffer.from(`{"nonce":"${nonceOf(searchParams.get("nonce") ?? "")}"}`).toString("base64");
  response.end(JSON.stringify({ encoding: "pkcs7", signature }));
}

describe("a machine that was born with its token", () => {
  test("of AWS joins with its identity document as it stands and the signature in one line", async () => {
    answer = answerAws;
    expect(await joined("aws")).toContain("m1 has joined");
    expect(master.requests[0]?.body).toMatchObject({
      token: "instance.secret",
      proof: { cloud: "aws", document: '{\n  "instanceId" : "i-0abc"\n}', signature: "MIAGCSqG" },
    });
  });

  test("of Azure joins with attested data made for its token and key, and for no earlier question", async () => {
    let stale = 2;
    answer = (request, response) => answerAzure(request, response, (nonce) => (stale-- > 0 ? "of-before" : nonce));
    const config = { ...(await master.node("m1", { joined: false })), cloud: "azure" as const };
    await joinPool({ config, force: false, readToken: async () => "instance.secret", metadata: address, retryMs: 10 });
    expect(asked).toHaveLength(3);
    const nonces = asked.map((line) => new URL(line.split(" ")[1] ?? "", "http://x").searchParams.get("nonce"));
    expect(new Set(nonces).size).toBe(1);
    expect(nonces[0]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("asks again until the master knows of it, with the same key", async () => {
    answer = answerAws;
    let refusals = 3;
    master.state.answer = async (body) =>
      refusals-- > 0 ? { status: 425, body: { error: { code: "not-yet", message: "not declared yet" } } } : await master.accept(body);
    expect(await joined("aws")).toContain("has joined");
    expect(master.requests).toHaveLength(4);
  });

  test("gives up at once when the master refuses it", async () => {
    answer = answerAws;
    master.state.answer = async () => ({ status: 403, body: { error: { code: "wrong-instance", message: "another one" } } });
    await expect(joined("aws")).rejects.toMatchObject({ code: "wrong-instance" });
    expect(master.requests).toHaveLength(1);
  });

  test("without a cloud, or without its word, says that it can't prove itself", async () => {
    await expect(joined(undefined)).rejects.toMatchObject({ code: "no-instance-identity", where: "m1" });
    expect(master.requests).toEqual([]);
  });
});

test("a token of another environment is not sent to this one's master", async () => {
  await expect(joined("aws", `instance.secret.${"0".repeat(64)}`)).rejects.toMatchObject({ code: "wrong-ca" });
  expect(master.requests).toEqual([]);
});

test("a token that came over SSH needs no proof, also on a cloud's machine", async () => {
  answer = (_, response) => response.writeHead(500).end();
  expect(await joined("aws", "secret")).toContain("has joined");
  expect(asked).toEqual([]);
  expect(master.requests[0]?.body).not.toHaveProperty("proof");
});
