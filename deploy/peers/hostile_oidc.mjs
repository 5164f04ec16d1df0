// An OpenID provider that says and does what an honest one never would. It signs everybody in without asking.
//
// Prints its issuer. PUT /behaviour with a JSON object changes what it does until the next one:
//   described   members of its description, in place of the honest ones
//   claims      claims of its ID tokens, in place of the honest ones; null takes one out
//   sign        "RS256"; "none"; "HS256" (with the public key, PEM, as the secret); "stranger" (a key that is not published)
//   kid         the name of the key in the tokens' headers
//   callback    parameters of the callback, in place of the honest ones; null takes one out
//   token, keys "giant", "redirect", "error", "silent" or "garbage" instead of an honest answer
//   user_info   what it says of whoever shows an access token
// GET /seen says how often each path was asked for.

import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const own = generateKeyPairSync("rsa", { modulusLength: 2048 });
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...own.publicKey.export({ format: "jwk" }), use: "sig", alg: "RS256" };
const codes = new Map();
const seen = {};
let behaviour = {};

const server = createServer().listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const without_nulls = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

function id_token(nonce) {
  const now = Math.floor(Date.now() / 1000);
  const claims = without_nulls({
    iss: issuer, aud: "millrace", sub: "mallory", nonce, iat: now, exp: now + 300,
    email: "mallory@example.com", email_verified: true, ...behaviour.claims,
  });
  const how = behaviour.sign ?? "RS256";
  const header = { alg: how === "stranger" ? "RS256" : how, kid: behaviour.kid ?? "own" };
  const message = `${encoded(header)}.${encoded(claims)}`;
  const pem = createPublicKey(own.privateKey).export({ type: "spki", format: "pem" });
  const signature = {
    RS256: () => sign("sha256", message, own.privateKey),
    stranger: () => sign("sha256", message, stranger.privateKey),
    HS256: () => createHmac("sha256", pem).update(message).digest(),
    none: () => Buffer.alloc(0),
  }[how]();
  return `${message}.${signature.toString("base64url")}`;
}

function json(response, value) {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function misbehave(response, how) {
  switch (how) {
    case "giant":
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"keys": [');
      const more = () => {
        while (response.write('{"kty": "oct"},'.repeat(4096)));
        response.once("drain", more);
      };
      response.on("close", () => response.removeAllListeners("drain"));
      return more();
    case "redirect":
      return response.writeHead(307, { location: `${issuer}/elsewhere` }).end();
    case "error":
      return response.writeHead(500).end("a fault");
    case "garbage":
      return response.writeHead(200, { "content-type": "application/json" }).end('{"id_token": "not-for-the-log", "acc');
    case "silent":
  }
}

const pages = {
  "/.well-known/openid-configuration": (_, response) => json(response, without_nulls({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/me`,
    jwks_uri: `${issuer}/keys`,
    ...behaviour.described,
  })),
  "/authorize": ({ url }, response) => {
    const code = randomUUID();
    codes.set(code, url.searchParams.get("nonce"));
    const back = new URL(url.searchParams.get("redirect_uri"));
    const parameters = without_nulls({ state: url.searchParams.get("state"), code, ...behaviour.callback });
    for (const [name, value] of Object.entries(parameters)) back.searchParams.set(name, value);
    response.writeHead(302, { location: back.href }).end();
  },
  "/token": async ({ request }, response) => {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    if (behaviour.token) return misbehave(response, behaviour.token);
    const nonce = codes.get(form.get("code"));
    json(response, { access_token: "at", token_type: "Bearer", id_token: id_token(nonce) });
  },
  "/keys": (_, response) =>
    behaviour.keys ? misbehave(response, behaviour.keys) : json(response, { keys: [{ ...key, kid: behaviour.kid_published ?? "own" }] }),
  "/me": (_, response) => json(response, behaviour.user_info),
  "/behaviour": async ({ request }, response) => {
    behaviour = JSON.parse(Buffer.concat(await request.toArray()).toString());
    response.end();
  },
  "/seen": (_, response) => json(response, seen),
};

server.on("request", async (request, response) => {
  const url = new URL(request.url, issuer);
  seen[url.pathname] = (seen[url.pathname] ?? 0) + 1;
  const page = pages[url.pathname] ?? (() => response.writeHead(404).end());
  await page({ request, url }, response);
});
console.log(issuer);
