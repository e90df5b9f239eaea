// How an agent finds its service, and makes sure that it is the service.

import { statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname } from "node:path";

export interface Environment {
  endpoint: string;
  server: string;
  token: string;
}

export function environment(): Environment {
  const variable = (name: string): string => {
    const value = process.env[name];
    if (value === undefined) {
      throw new Error(
        `not started by Bilayer: ${name} is not set. Name this program in an [agent.NAME] table of the ` +
          "configuration and run `bilayer run`",
      );
    }
    return value;
  };
  const found = {
    endpoint: variable("BILAYER_ENDPOINT"),
    server: variable("BILAYER_SERVER"),
    token: variable("BILAYER_TOKEN"),
  };
  // Programs that this one starts have no use for the token.
  delete process.env["BILAYER_TOKEN"];
  return found;
}

/**
 * Opens the endpoint: a Unix socket, or a named pipe on Windows.
 *
 * Node cannot ask a socket who is at its other end. On Linux this asks instead who could have put it there: its folder must
 * belong to the service's user, and nobody else may write to it. On Windows it cannot be asked at all from plain Node.
 */
export async function open({ endpoint, server }: Environment): Promise<Socket> {
  if (process.platform !== "win32") {
    const folder = dirname(endpoint);
    const { uid, mode } = statSync(folder);
    if (String(uid) !== server || (mode & 0o022) !== 0) {
      throw new Error(`${folder} is not the folder of user ${server} alone; nothing was sent to ${endpoint}`);
    }
  }
  const socket = connect(endpoint);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}
