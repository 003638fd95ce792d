/** The parts that all routes of the API are described with. */
import type { ZodType } from "zod";
import { apiError } from "../../contract/api.ts";

/** A JSON answer, and the error that may stand in its place. */
export function answers<T extends ZodType>(schema: T, description: string) {
  return {
    200: { description, content: { "application/json": { schema } } },
    default: { description: "an error", content: { "application/json": { schema: apiError } } },
  } as const;
}

/** A stream of JSON lines, each of this schema. */
export function streams<T extends ZodType>(schema: T, description: string) {
  return {
    200: { description, content: { "application/x-ndjson": { schema } } },
    default: { description: "an error", content: { "application/json": { schema: apiError } } },
  } as const;
}

export function jsonBody<T extends ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } } as const;
}
