/** What a request must satisfy before the embedded server looks at it: who may ask, under which name, and how much. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { HttpError } from "./wire.ts";

/**
 * A page of evil.example can point that name at 127.0.0.1 and then read our answers as its own; its requests still carry
 * `Host: evil.example`. A plain address cannot be rebound. A foreign Origin is a web page in any case.
 */
export function requireKnownHost(request: IncomingMessage, allowedHosts: readonly string[]): void {
  const host = hostnameOf(request.headers.host);
  const known = host !== undefined && (isIP(host) !== 0 || host === "localhost" || allowedHosts.includes(host));
  if (!known) {
    throw new HttpError(
      403,
      `requests for host ${JSON.stringify(request.headers.host ?? "")} are refused; name it in allowedHosts`,
    );
  }
  const { origin } = request.headers;
  if (origin !== undefined && origin !== `http://${request.headers.host}`) {
    throw new HttpError(403, `requests from the web page ${JSON.stringify(origin)} are refused`);
  }
}

function hostnameOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/]+))(?::\d+)?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

export function requireKey(request: IncomingMessage, apiKey: string | undefined): void {
  if (apiKey === undefined) return;
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
  // hashed, so that equal lengths are compared in constant time
  const digest = (text: string) => createHash("sha256").update(text).digest();
  if (!timingSafeEqual(digest(given), digest(apiKey)))
    throw new HttpError(401, "Unauthorized: expected Authorization: Bearer KEY");
}

/** The body as JSON. Throws 413 as soon as it is too long and 400 when it is not JSON. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const tooLong = () => new HttpError(413, `the request body is longer than ${maxBytes} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLong();
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/(json|[\w.-]+\+json)\b/i.test(type)) {
    throw new HttpError(400, `expected content-type application/json, got ${JSON.stringify(type)}`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("expected the body in bytes");
    size += chunk.length;
    if (size > maxBytes) throw tooLong();
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw new HttpError(400, `the request body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
