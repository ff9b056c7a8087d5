"use strict";
// The one script: a button that copies the headline. Without it the text can be selected.
for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copies).textContent;
    await navigator.clipboard.writeText(text);
    button.parentElement.querySelector(".copied").textContent = "Copied.";
  });
}
