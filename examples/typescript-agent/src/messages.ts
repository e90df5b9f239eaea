// The messages that this agent uses. All of them are in schema/bilayer.openrpc.json.

import { NotificationType, NotificationType0, RequestType } from "vscode-jsonrpc/node.js";

export interface Session {
  id: string;
  user: { name: string; id: string };
  kind: "console" | "remote" | "other";
  state: "active" | "inactive" | "closing";
  locked: boolean;
  remote: boolean;
}

export interface Initialize {
  protocol: { min: number; max: number };
  kind: "agent";
  token: string;
  client: { name: string; version: string };
}

export interface Initialized {
  protocol: number;
  agent: { name: string; generation: number };
  /** Absent for a worker, which belongs to the machine. */
  session?: Session;
  heartbeat_ms?: number;
}

export const initialize = new RequestType<Initialize, Initialized, void>("initialize");
export const ready = new NotificationType0("agent/ready");
export const status = new NotificationType<{ text: string }>("agent/status");
export const heartbeat = new NotificationType0("agent/heartbeat");

export const stop = new RequestType<{ reason: string; deadline_ms: number }, null, void>("agent/stop");
export const sessionChanged = new NotificationType<{ session: Session }>("session/changed");
export const powerChanged = new NotificationType<{ event: string }>("power/changed");
export const showMessage = new RequestType<{ title: string; text: string }, null, void>("message/show");

// This product's own.
export const echo = new RequestType<unknown, unknown, void>("example/echo");
