// Opens the cookie of a browser session as the standards say, with jose and Node's own HKDF.
//
// Reads {"cookie", "master_key", "jwks"} from standard input, prints {"outer": header, "inner": header, "claims"}.

import { hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { compactDecrypt, createLocalJWKSet, jwtVerify } from "jose";

const asked = JSON.parse(readFileSync(0, "utf8"));
const master = Buffer.from(asked.master_key, "hex");
const key = new Uint8Array(hkdfSync("sha256", master, "", "millrace browser session", 32));
const { plaintext, protectedHeader: outer } = await compactDecrypt(asked.cookie, key, {
  keyManagementAlgorithms: ["dir"],
  contentEncryptionAlgorithms: ["A256GCM"],
});
const { payload: claims, protectedHeader: inner } = await jwtVerify(plaintext, createLocalJWKSet(asked.jwks), {
  algorithms: ["RS256"],
  audience: "millrace-browser",
  requiredClaims: ["iss", "sub", "sid", "iat", "exp"],
});
process.stdout.write(JSON.stringify({ outer, inner, claims }));
