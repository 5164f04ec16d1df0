"""Verifies access tokens as a program that only knows the JWK set would: with PyJWT.

Reads {"token", "jwks", "issuer", "audience"} from standard input, prints the claims or {"refused": "<why>"}.
"""

import json
import sys

import jwt

asked = json.load(sys.stdin)
try:
    kid = jwt.get_unverified_header(asked["token"])["kid"]
    key = jwt.PyJWKSet.from_dict(asked["jwks"])[kid]
    claims = jwt.decode(
        asked["token"],
        key,
        algorithms=["RS256"],
        audience=asked["audience"],
        issuer=asked["issuer"],
        options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
    )
except (jwt.PyJWTError, KeyError) as refusal:
    claims = {"refused": type(refusal).__name__}
json.dump(claims, sys.stdout)
