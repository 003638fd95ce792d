/** What the engine says when a cloud refuses something, for people: the cloud's own words, and what to do next. Pure. */
import { awsProblem, awsRefusal } from "../providers/aws/problem.ts";
import { azureProblem } from "../providers/azure/problem.ts";
import type { CloudProblem } from "../providers/provider.ts";

/** The text itself where nobody knows the problem, or the resource is no cloud's. */
export function refusalWords(text: string, urn: string | undefined): string {
  const type = urn?.split("::")[2]?.split("$").at(-1) ?? "";
  // Wrong credentials are told of the provider itself, and a missing image of whoever asks for it.
  if (/^(aws|pulumi:providers:aws)(:|$)/.test(type) || text.includes("invocation of aws:")) return awsRefusal(text) ?? text;
  const known =
    /^(azure-native|pulumi:providers:azure-native)(:|$)/.test(type) || text.includes("invocation of azure-native:")
      ? azureProblem(text)
      : undefined;
  return known === undefined ? text : `Azure: ${text.replace(/[.\s]*$/, ".")} ${known.hint}`;
}

/** What a provider's refusal is about; undefined where nobody knows, or the provider is no cloud. */
export function refusedBy(provider: string, text: string): CloudProblem | undefined {
  if (provider === "aws") return awsProblem(text)?.problem;
  return provider === "azure" ? azureProblem(text)?.problem : undefined;
}
