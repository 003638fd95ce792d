/** Pulumi's file backend as every environment of ours uses it. */
import { pathToFileURL } from "node:url";

/**
 * The URL of a backend in this directory, without side files of attributes: the backend writes those in place, so an engine
 * that is killed at it leaves an empty one, and its stack can't be read ever after ("failed to load checkpoint: EOF").
 */
export function fileBackendUrl(directory: string): string {
  const url = pathToFileURL(directory);
  url.searchParams.set("metadata", "skip");
  return url.href;
}
