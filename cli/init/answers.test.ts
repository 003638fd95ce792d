import { describe, expect, it } from "vitest";
import { type GivenAnswers, initAnswers } from "./answers.ts";

const given = (answers: GivenAnswers) => initAnswers(answers, undefined);

/** Answers in turn, and keeps what was asked. */
function aPerson(...answers: string[]) {
  const asked: string[] = [];
  const ask = async (question: string) => {
    asked.push(question);
    const answer = answers.shift();
    if (answer === undefined) throw new Error(`nobody expected: ${question}`);
    return answer;
  };
  return { asked, ask };
}

describe("answers on the command line", () => {
  it("are enough for each kind of machines", async () => {
    expect(await given({ machines: "here", count: "3", burst: "no" })).toEqual({
      machines: "here",
      hosts: [],
      count: 3,
      burstPerDay: 0,
      sshFrom: [],
    });
    expect(await given({ machines: "aws", region: "eu-west-1", count: "2", burst: "$20", sshFrom: "203.0.113.7, 2001:db8::1" })).toEqual({
      machines: "aws",
      region: "eu-west-1",
      hosts: [],
      count: 2,
      burstPerDay: 20,
      sshFrom: ["203.0.113.7/32", "2001:db8::1/128"],
    });
    expect(
      await given({
        machines: "hosts",
        hosts: "192.0.2.11,db.example.org",
        burst: "5",
        burstIn: "azure:westeurope",
        sshFrom: "203.0.113.0/24",
      }),
    ).toEqual({
      machines: "hosts",
      hosts: ["192.0.2.11", "db.example.org"],
      count: 2,
      burstPerDay: 5,
      burstIn: { cloud: "azure", region: "westeurope" },
      sshFrom: ["203.0.113.0/24"],
    });
  });

  it.each([
    [{}, "--machines is missing"],
    [{ machines: "gcp" }, '--machines: "gcp" is none of here, hosts, aws, azure'],
    [{ machines: "aws" }, "--region is missing"],
    [{ machines: "aws", region: "EU" }, '--region: "EU" is no region'],
    [{ machines: "hosts" }, "--hosts is missing"],
    [{ machines: "hosts", hosts: "a b" }, '--hosts: "a b" is no name or address'],
    [{ machines: "here", count: "33" }, '--count: "33" is no number from 1 to 32'],
    [{ machines: "here", count: "0" }, '--count: "0" is no number'],
    [{ machines: "here", count: "1" }, "--burst is missing"],
    [{ machines: "here", count: "1", burst: "lots" }, '--burst: "lots" is neither "no" nor an amount'],
    [{ machines: "hosts", hosts: "a", burst: "5" }, "--burst-in is missing"],
    [{ machines: "hosts", hosts: "a", burst: "5", burstIn: "gcp:x" }, '--burst-in: "gcp:x" is not of the form'],
    [{ machines: "aws", region: "eu-west-1", count: "1", burst: "no" }, "--ssh-from is missing"],
    [{ machines: "aws", region: "eu-west-1", count: "1", burst: "no", sshFrom: "home" }, '--ssh-from: "home" is no address'],
  ])("%j is not enough", async (answers, sentence) => {
    await expect(given(answers)).rejects.toMatchObject({ code: "usage", message: expect.stringContaining(sentence) });
  });

  it.each([
    [{ machines: "here", count: "1", burst: "no", region: "eu-west-1" }, "--region is for machines in a cloud"],
    [{ machines: "here", count: "1", burst: "5", burstIn: "aws:eu-west-1" }, "--burst-in is for hosts of your own"],
    [{ machines: "here", count: "1", burst: "no", sshFrom: "203.0.113.7" }, "--ssh-from is for machines in a cloud"],
    [{ machines: "hosts", hosts: "a", burst: "no", count: "2" }, "--count is for machines that are made"],
  ])("%j holds one that would do nothing", async (answers, sentence) => {
    await expect(given(answers)).rejects.toMatchObject({ code: "usage", message: expect.stringContaining(sentence) });
  });
});

describe("a person", () => {
  it("is asked five questions, and for none that was answered already", async () => {
    const person = aPerson("aws", "", "", "20", "203.0.113.7");
    expect(await initAnswers({}, person.ask)).toMatchObject({ region: "eu-central-1", count: 3, burstPerDay: 20 });
    expect(person.asked).toHaveLength(5);
    const other = aPerson("no");
    await initAnswers({ machines: "here", count: "2" }, other.ask);
    expect(other.asked).toEqual([expect.stringMatching(/^May more machines be bought/)]);
  });

  it("is asked again after an answer that can't be read, and told why", async () => {
    const person = aPerson("many", "2");
    expect(await initAnswers({ machines: "here", burst: "no" }, person.ask)).toMatchObject({ count: 2 });
    expect(person.asked[1]).toMatch(/^"many" is no number from 1 to 32\nHow many\?/);
  });

  it("must answer what has no usual answer", async () => {
    const person = aPerson("", "192.0.2.11");
    expect(await initAnswers({ machines: "hosts", burst: "no" }, person.ask)).toMatchObject({ hosts: ["192.0.2.11"] });
  });
});
