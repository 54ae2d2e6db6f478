// A certificate authority that lives as long as the run, and one certificate for every name of it.

import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes both in a folder. `spki` is what Chromium takes in place of a root in its store; `authority` is the file that
 * the program's own fetches trust.
 */
export function certificates(folder, names) {
  const at = (name) => join(folder, name);
  const openssl = (...words) => execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', at('authority.key'), '-out', at('authority.pem'), '-days', '2',
    '-subj', '/CN=Authority of a browser test', '-addext', 'basicConstraints=critical,CA:TRUE',
    '-addext', 'keyUsage=critical,keyCertSign');
  openssl('req', '-new', ...key, '-keyout', at('site.key'), '-out', at('site.csr'), '-subj', '/CN=mcp.test');
  const alternatives = names.map((name) => `DNS:${name}`).join(',');
  writeFileSync(at('site.ext'), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`);
  openssl('x509', '-req', '-in', at('site.csr'), '-CA', at('authority.pem'), '-CAkey', at('authority.key'),
    '-CAcreateserial', '-out', at('site.pem'), '-days', '2', '-extfile', at('site.ext'));
  const authority = readFileSync(at('authority.pem'));
  const spki = new X509Certificate(authority).publicKey.export({ type: 'spki', format: 'der' });
  return {
    authority: at('authority.pem'),
    cert: Buffer.concat([readFileSync(at('site.pem')), authority]),
    key: readFileSync(at('site.key')),
    spki: createHash('sha256').update(spki).digest('base64'),
  };
}
