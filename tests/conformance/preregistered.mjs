// Write an OAUTH_CLIENTS_FILE with one client for each way to prove itself at the token endpoint, and beside it what the
// clients themselves know: `[{ method, id, secret }]`.
//
//   node preregistered.mjs CLIENTS_FILE KNOWN_FILE
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const METHODS = ['none', 'client_secret_basic', 'client_secret_post'];
// Any port of this machine: loopback redirects match without it.
const REDIRECT = 'http://127.0.0.1/callback';

/** A secret as the server keeps it: `sha256:<salt>:<SHA-256 of the salt's bytes, then the secret>`, in hex. */
function hashed(secret) {
  const salt = randomBytes(16);
  return `sha256:${salt.toString('hex')}:${createHash('sha256').update(salt).update(secret).digest('hex')}`;
}

const known = METHODS.map(method => ({
  method,
  id: `conformance-${method}`,
  secret: method === 'none' ? undefined : randomBytes(32).toString('base64url'),
}));
const written = known.map(({ method, id, secret }) => ({
  client_id: id,
  client_name: `Conformance by ${method}`,
  redirect_uris: [REDIRECT],
  token_endpoint_auth_method: method,
  ...(secret && { client_secret_hash: hashed(secret) }),
}));

const [clients, secrets] = process.argv.slice(2);
writeFileSync(clients, JSON.stringify(written, null, 2), { mode: 0o600 });
writeFileSync(secrets, JSON.stringify(known), { mode: 0o600 });
