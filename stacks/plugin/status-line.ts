/** Live status of a resource: lines that the engine shows on the resource's own row while its step runs. */
import { credentials } from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";

export interface StatusLine {
  /** `ephemeral` lines replace each other; others stay in the resource's output. Never fails: status is a courtesy. */
  tell(urn: string, text: string, ephemeral: boolean): void;
}

/** `engineAddress` is the plugin's last argument; without one nothing is shown. */
export function statusLineTo(engineAddress: string | undefined): StatusLine {
  if (engineAddress === undefined) return { tell: () => undefined };
  const engine = new engineGrpc.EngineClient(engineAddress, credentials.createInsecure());
  return {
    tell(urn, text, ephemeral) {
      const request = new engineProto.LogRequest();
      request.setSeverity(engineProto.LogSeverity.INFO);
      request.setUrn(urn);
      request.setMessage(text);
      request.setEphemeral(ephemeral);
      engine.log(request, () => undefined);
    },
  };
}
