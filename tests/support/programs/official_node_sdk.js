// Makes the calls to the official SDK for Node.js that standard input asks for, and prints what each one returned.
// Each line is JSON: {"call": "conferences.record", "arguments": ["standup"]}. A name without a dot is a function of
// the module, other names belong to a client.
const readline = require('readline');
const plivo = require('plivo');

const client = new plivo.Client();

async function answer(line) {
  const request = JSON.parse(line);
  const path = request.call.split('.');
  const name = path.pop();
  const owner = path.reduce((value, key) => value[key], path.length ? client : plivo);
  try {
    return {returned: await owner[name](...request.arguments)};
  } catch (error) {
    return {error: {status: error.status, message: error.message}};
  }
}

async function main() {
  for await (const line of readline.createInterface({input: process.stdin})) {
    console.log(JSON.stringify(await answer(line)));
  }
}

main();
