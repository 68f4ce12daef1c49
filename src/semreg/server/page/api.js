// The server's routes: each gives what was answered, or throws an Error with the server's sentence.

const KEY = "semreg-token";
const RETRIES = 6;

/** Ask for a token; replaced by the page with its dialog. */
let askToken = async () => null;
export function onTokenWanted(ask) { askToken = ask; }

async function call(path, options = {}, tries = 0) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer: is it still running?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    const given = await askToken();
    if (given) {
      sessionStorage.setItem(KEY, given);
      return call(path, options, tries);
    }
  }
  if ((answer.status === 503 || answer.status === 429) && tries < RETRIES) {
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise(resolve => setTimeout(resolve, 1000 * Math.min(seconds, 10)));
    return call(path, options, tries + 1);
  }
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error || `the server answered ${answer.status}`);
}

const json = async (path, body, signal) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

/** What is served: model, concepts, thresholds, whether corrections are kept. */
export const server = async () => (await call("/v1/server")).json();

/** The annotation of a picture, with the scores of all concepts. */
export const annotate = async file =>
  (await call("/v1/annotate?all_concepts=true&captions=3", {
    method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file,
  })).json();

/** The annotation after concepts were switched and words set. */
export const steer = async (body, signal) => (await json("/v1/steer", { captions: 3, ...body }, signal)).json();

/** Which concepts carried what an annotation says. */
export const explain = async annotation => (await json("/v1/explain", { annotation })).json();

/** An annotation as an XMP sidecar. */
export const sidecar = async annotation => (await json("/v1/sidecar", { annotation })).text();

/** Keep a correction; gives how many are kept now. */
export async function keep(file, name, correction) {
  const form = new FormData();
  form.append("picture", file, name);
  form.append("correction", JSON.stringify(correction));
  return (await call("/v1/corrections", { method: "POST", body: form })).json();
}
