// A client of the TypeScript SDK, v1 line, as the whole journey wants it; mcp-remote is driven by one too.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';

const CHANGES = {
  tools: ToolListChangedNotificationSchema,
  prompts: PromptListChangedNotificationSchema,
  resources: ResourceListChangedNotificationSchema,
};

/** Connect, with handlers for what may come. */
export async function clientV1(transport, { log, confirm, changed }) {
  const capabilities = confirm ? { elicitation: { form: {} } } : {};
  const client = new Client({ name: 'whole', version: '1.0.0' }, { capabilities });
  if (confirm) client.setRequestHandler(ElicitRequestSchema, request => confirm(request.params));
  if (log) client.setNotificationHandler(LoggingMessageNotificationSchema, message => log(message.params));
  if (changed) {
    for (const [list, schema] of Object.entries(CHANGES)) client.setNotificationHandler(schema, () => changed(list));
  }
  await client.connect(transport, { timeout: 60_000 });
  const call = (name, args, { onprogress, signal } = {}) =>
    client.callTool({ name, arguments: args }, undefined, { onprogress, signal });
  return { client, call, close: () => client.close() };
}
