/** What follows from the type of a machine that may be known only while the program runs. */
import * as pulumi from "@pulumi/pulumi";

/** A type that is known at once needs no waiting for, and leaves nothing unknown to a preview. */
export function byType<T>(instanceType: pulumi.Input<string>, of: (instanceType: string) => T): pulumi.Input<T> {
  return typeof instanceType === "string" ? of(instanceType) : pulumi.output(instanceType).apply(of);
}
