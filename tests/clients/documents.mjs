// A client metadata document on this machine: a client that names itself by a URL needs an https server that holds its
// document. Prints the document's URL once it listens; the certificate must be trusted by whoever fetches it.
//
//   node documents.mjs KEY CERTIFICATE
import { readFileSync } from 'node:fs';
import https from 'node:https';

const [key, cert] = process.argv.slice(2).map(path => readFileSync(path));
const PATH = '/client.json';
let url;

const server = https.createServer({ key, cert }, (request, response) => {
  if (request.method !== 'GET' || request.url !== PATH) {
    response.writeHead(404).end();
    return;
  }
  const document = {
    client_id: url,
    client_name: 'A client with a document',
    redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback', 'http://localhost/oauth/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=300' });
  response.end(JSON.stringify(document));
});
server.listen(0, '127.0.0.1', () => {
  url = `https://localhost:${server.address().port}${PATH}`;
  console.log(url);
});
