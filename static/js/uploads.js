// Files are sent one by one, each with its progress, from the form or dropped onto its card; then all are read.
// Without this script the form sends them together and the server does the same.
const card = document.getElementById("bring");
const form = card.querySelector("form");
const picked = form.querySelector("input[type=file]");
const list = document.getElementById("sent");

document.getElementById("drop").hidden = false;

function row(file) {
  const item = document.createElement("li");
  item.className = "upload";
  const name = document.createElement("strong");
  name.textContent = file.name;
  const progress = document.createElement("progress");
  progress.max = 1;
  progress.value = 0;
  progress.setAttribute("aria-label", `Sending ${file.name}`);
  item.append(name, progress);
  list.append(item);
  return item;
}

function refuse(item, sentence) {
  const words = document.createElement("p");
  words.className = "errors";
  words.textContent = sentence;
  item.querySelector("progress")?.remove();
  item.append(words);
}

// Whatever became of it, it is of this file alone: what was sent before it is kept, and the next one is tried.
function whyNot(request) {
  const { status } = request;
  if (status === 0) return "The connection was lost, so it was not sent. Look at the connection and bring it again.";
  // A page that needs a login leads to that of the login, which answers 200.
  const isElsewhere = status === 200 && new URL(request.responseURL).pathname !== card.dataset.receive;
  if (status === 403 || isElsewhere)
    return "Your login has ended, so it was not kept. Open this page anew to log in, then bring it again; what was sent before waits for you there.";
  if (status === 413) return "It is larger than this site takes, so it was not kept.";
  if (status === 507) return "The site's disk is full, so it was not kept. Try again later.";
  if (status === 200 || status === 422) return "";
  return `The site could not take it (error ${status}), so it was not kept. Try again later.`;
}

function send(file) {
  const item = row(file);
  if (file.size > Number(card.dataset.mostBytes)) {
    refuse(item, `It has ${Math.round(file.size / 1e6)} MB; the most is ${Math.round(card.dataset.mostBytes / 1e6)} MB.`);
    return Promise.resolve(false);
  }
  const body = new FormData(form);
  body.delete(picked.name);
  body.append(picked.name, file);
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => {
      item.querySelector("progress").value = event.total ? event.loaded / event.total : 0;
    });
    request.addEventListener("loadend", () => {
      const sentence = whyNot(request);
      if (sentence) refuse(item, sentence);
      else if (request.status === 422) refuse(item, request.responseText.trim());
      else item.outerHTML = request.responseText;
      resolve(!sentence && request.status === 200);
    });
    request.open("POST", card.dataset.receive);
    request.send(body);
  });
}

async function bring(files) {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  let sent = 0;
  for (const file of files) sent += (await send(file)) ? 1 : 0;
  button.disabled = false;
  if (!sent) return;
  picked.disabled = true; // its files have been sent; what goes now is the wish to have them read
  form.action = card.dataset.read;
  if (sent === files.length) form.submit();
  else button.textContent = "Have the others read"; // the page stays, for it says why one of them was not sent
}

form.addEventListener("submit", (event) => {
  if (picked.disabled || !picked.files.length) return;
  event.preventDefault();
  bring([...picked.files]);
});
card.addEventListener("dragover", (event) => {
  event.preventDefault();
  card.classList.add("over");
});
card.addEventListener("dragleave", () => card.classList.remove("over"));
card.addEventListener("drop", (event) => {
  event.preventDefault();
  card.classList.remove("over");
  bring([...event.dataTransfer.files]);
});
