/** The Pulumi program of every environment: its settings in, one pool out. */
import * as pulumi from "@pulumi/pulumi";
import { describeError } from "../../agent/contract/errors.ts";
import { Environment } from "../environment.ts";
import { settingsOf } from "../settings-file.ts";
import { stateLayout } from "../state-layout.ts";

const name = pulumi.getStack();

function settings() {
  try {
    return settingsOf(name, new pulumi.Config("spillway").getObject("environment"));
  } catch (error) {
    throw new pulumi.RunError(describeError(error));
  }
}

const environment = new Environment(name, settings(), stateLayout(name));

export const masterUrl = environment.masterUrl;
export const ca = environment.ca;
export const pool = environment.pool;
export const login = `./spillway login --env ${name}`;
