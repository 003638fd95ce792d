/** What kind of processor a cloud's type has, read off its name; pure. */

/**
 * AWS: a `g` after the generation's digit is Graviton (EC2's page "Instance type naming conventions"). Azure: a `p` among
 * the letters after the number of cores is ARM ("Azure virtual machine sizes naming conventions").
 */
export function instanceArch(cloud: "aws" | "azure", instanceType: string): "x64" | "arm64" {
  const letters =
    cloud === "aws" ? /^[a-z-]+\d+([a-z-]*)\./.exec(instanceType)?.[1] : /^Standard_[A-Z]+\d+(?:-\d+)?([a-z]*)/.exec(instanceType)?.[1];
  return letters?.includes(cloud === "aws" ? "g" : "p") === true ? "arm64" : "x64";
}
