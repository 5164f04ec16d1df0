// An OpenID provider: npm's oidc-provider with one client and a sign-in form that believes what it is told.
//
// oidc.mjs '{"redirect_uri": …, "alg": "RS256", "claims_in_id_token": true}' prints its issuer. Whoever is asked to
// sign in posts the claims about themselves, as JSON, in the form field `claims`, or `deny`.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

import Provider from "oidc-provider";

// The first line of standard output is ours.
console.info = console.warn = console.error;

const { redirect_uri, alg = "RS256", claims_in_id_token = true } = JSON.parse(process.argv[2]);
const keys = { RS256: ["rsa", { modulusLength: 2048 }], ES256: ["ec", { namedCurve: "P-256" }], EdDSA: ["ed25519"] };
const key = { ...generateKeyPairSync(...keys[alg]).privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg };

const server = createServer().listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const people = new Map();
const provider = new Provider(issuer, {
  clients: [{
    client_id: "millrace",
    client_secret: "a secret & a half",
    redirect_uris: [redirect_uri],
    id_token_signed_response_alg: alg,
  }],
  jwks: { keys: [key] },
  cookies: { keys: [randomUUID()] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: !claims_in_id_token,
  pkce: { methods: ["S256"], required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...people.get(sub), sub }) }),
  enabledJWA: { idTokenSigningAlgValues: [alg] },
});

async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  if (request.method !== "POST") return response.end("Who are you?");
  const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
  if (form.has("deny")) return provider.interactionFinished(request, response, { error: "access_denied" });
  const claims = JSON.parse(form.get("claims"));
  people.set(claims.sub, claims);
  const grant = new provider.Grant({ accountId: claims.sub, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { login: { accountId: claims.sub }, consent });
}

const protocol = provider.callback();
server.on("request", (request, response) => {
  if (!request.url.startsWith("/interaction/")) return protocol(request, response);
  interact(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
console.log(issuer);
