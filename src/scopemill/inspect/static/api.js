// Questions to the server, and the line that says whether a decision is kept.

const saved = document.getElementById("saved");
const trouble = document.getElementById("trouble");
let writeToken = "";

export const address = (path, query) => `${path}?${new URLSearchParams(query)}`;

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer. Start scopemill inspect again, and open the address that it prints.");
  }
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

export async function get(path, query = {}) {
  try {
    const found = await ask(address(path, query));
    trouble.hidden = true;
    if (found.token) writeToken = found.token;
    return found;
  } catch (error) {
    showTrouble(error);
    throw error;
  }
}

// Resolves to what stands now, or to null when the decision is not kept.
export async function decide(decision) {
  saved.className = "";
  saved.textContent = "saving…";
  try {
    const stands = await ask("/api/decide", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Scopemill-Token": writeToken },
      body: JSON.stringify(decision),
    });
    trouble.hidden = true;
    saved.className = "ok";
    saved.textContent = `saved ${new Date().toLocaleTimeString("en-GB")}`;
    return stands;
  } catch (error) {
    saved.className = "bad";
    saved.textContent = "not saved";
    showTrouble(error);
    return null;
  }
}

function showTrouble(error) {
  trouble.textContent = error.message;
  trouble.hidden = false;
}
