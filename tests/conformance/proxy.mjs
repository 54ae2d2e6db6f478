// What stands between the official conformance suite and the server. The suite sends no Authorization header, and no test
// can change a list as an operator does. So this adds the one and does the other; whatever else passes is passed on
// untouched, Host and Origin among it, as it comes and not gathered.
import http from 'node:http';

/** The name of the tool that a posted message calls, if it is a call. */
function calledTool(body) {
  try {
    const { method, params } = JSON.parse(body);
    return method === 'tools/call' ? params?.name : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Listen on any port of the loopback address.
 *
 * `server` is the origin behind it, `key` the API key that it adds; `onTool(name)` is awaited before a tool call is
 * passed on.
 */
export async function proxy({ server, key, onTool }) {
  const listener = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    await onTool(calledTool(body.toString()));
    const headers = { ...request.headers, authorization: `Bearer ${key}` };
    const onward = http.request(server + request.url, { method: request.method, headers }, answer => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    // A stream ends where its reader goes away.
    response.on('close', () => onward.destroy());
    onward.end(body);
  });
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${listener.address().port}`, close: () => listener.close() };
}
