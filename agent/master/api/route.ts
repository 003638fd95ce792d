/** The parts that all routes of the API are described with. */
import { z } from "@hono/zod-openapi";
import type { ZodType } from "zod";
import { apiError } from "../../contract/api.ts";

const anError = {
  description: "an error: what is wrong, and the next step",
  content: { "application/json": { schema: apiError } },
} as const;

/** A JSON answer, and the error that may stand in its place. */
export function answers<T extends ZodType>(schema: T, description: string) {
  return {
    200: { description, content: { "application/json": { schema } } },
    default: anError,
  } as const;
}

/** A stream of JSON lines; the schema is that of one line, since OpenAPI 3.1 has no word for a stream. */
export function streams<T extends ZodType>(schema: T, description: string) {
  return {
    200: { description, content: { "application/x-ndjson": { schema } } },
    default: anError,
  } as const;
}

export function jsonBody<T extends ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } } as const;
}

interface IntegerBounds {
  readonly min: number;
  readonly max?: number;
}

/** A whole number in a query, where all is text. */
export function queryInteger({ min, max }: IntegerBounds) {
  const bounded = z.coerce.number().int().min(min);
  // Said outright: the generator would tell that null is accepted as well.
  if (max === undefined) return bounded.openapi({ type: "integer", minimum: min });
  return bounded.max(max).openapi({ type: "integer", minimum: min, maximum: max });
}

/** The same with a value for when it is left out. */
export function queryIntegerOr(fallback: number, bounds: IntegerBounds) {
  return queryInteger(bounds).default(fallback).openapi({ default: fallback });
}
