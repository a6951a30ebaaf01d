// Requests to goodgate's API, with the token if it needs one.
export class Denied extends Error {}

let token = sessionStorage.getItem("goodgate-token") ?? "";

export function setToken(text) {
  token = text;
  sessionStorage.setItem("goodgate-token", token);
}

export const hasToken = () => token !== "";

async function ask(path, options) {
  const answer = await fetch(path, { ...options, headers: { ...(token && { Authorization: "Bearer " + token }), ...options?.headers }, signal: AbortSignal.timeout(10000) });
  if (answer.status === 401) throw new Denied("this needs a token");
  if (!answer.ok) {
    const { error, code, of } = await answer.json();
    throw Object.assign(new Error(error), { status: answer.status, code, of });
  }
  return answer;
}

export const get = async (path) => (await ask(path)).json();
export const text = async (path) => (await ask(path)).text();
export const post = async (path, body) => (await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();
