// An agent in TypeScript. The wire is ordinary JSON-RPC 2.0 in the frames of the Language Server Protocol, so vscode-jsonrpc
// speaks it as it is.

import { createMessageConnection, SocketMessageReader, SocketMessageWriter } from "vscode-jsonrpc/node.js";

import { environment, open } from "./endpoint.js";
import * as messages from "./messages.js";

async function main(): Promise<void> {
  const found = environment();
  const socket = await open(found);
  const connection = createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));

  let beat: NodeJS.Timeout | undefined;
  const over = new Promise<"stopped" | "lost">((resolve) => {
    connection.onRequest(messages.stop, ({ reason, deadline_ms }) => {
      console.log(`stopping: ${reason}, ${deadline_ms} ms left`);
      resolve("stopped");
      return null;
    });
    process.once("SIGTERM", () => resolve("stopped"));
    connection.onClose(() => resolve("lost"));
  });
  connection.onNotification(messages.sessionChanged, ({ session }) => {
    console.log(`session ${session.id}: ${session.state}, locked: ${session.locked}`);
  });
  connection.onNotification(messages.powerChanged, ({ event }) => console.log(`power: ${event}`));
  connection.onRequest(messages.showMessage, ({ title, text }) => {
    console.log(`message: ${title}: ${text}`);
    return null;
  });
  connection.onRequest(messages.echo, (params) => params);
  connection.listen();

  const welcome = await connection.sendRequest(messages.initialize, {
    protocol: { min: 1, max: 1 },
    kind: "agent",
    token: found.token,
    client: { name: "typescript-agent", version: "0.1.0" },
  });
  const { agent, session } = welcome;
  const serves = session ? `${session.user.name} in session ${session.id}` : "the machine";
  console.log(`agent ${agent.name} (launch ${agent.generation}) serves ${serves}`);
  if (welcome.heartbeat_ms !== undefined) {
    beat = setInterval(() => void connection.sendNotification(messages.heartbeat), welcome.heartbeat_ms / 3);
  }
  await connection.sendNotification(messages.status, { text: "at your service" });
  await connection.sendNotification(messages.ready);

  const how = await over;
  clearInterval(beat);
  if (how === "lost") {
    throw new Error("lost the service");
  }
  // Messages are written in order: once this one is, so is the answer to agent/stop.
  await connection.sendNotification(messages.status, { text: "stopping" });
  connection.end();
  socket.end();
  console.log("stopped");
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
