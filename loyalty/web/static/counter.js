// Scanning with the camera, where the browser reads codes itself. Hand scanners need no script.

const form = document.querySelector("form[data-scan]");
const camera = form.querySelector("[data-camera]");
const [video, button, status] = ["video", "button", "p"].map((name) => camera.querySelector(name));
const { code, amount } = form.elements;
let stream = null;

camera.hidden = false;

const stop = () => {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.hidden = true;
  button.setAttribute("aria-pressed", "false");
};

const look = async (detector) => {
  while (stream) {
    const [found] = await detector.detect(video);
    if (found) {
      stop();
      code.value = found.rawValue;
      form.requestSubmit();
      return;
    }
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
};

const start = async () => {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    status.textContent = status.dataset.refused;
    return;
  }
  video.srcObject = stream;
  video.hidden = false;
  button.setAttribute("aria-pressed", "true");
  status.textContent = status.dataset.looking;
  await video.play();
  await look(new BarcodeDetector({ formats: ["qr_code"] }));
};

const formats = "BarcodeDetector" in window ? await BarcodeDetector.getSupportedFormats() : [];
if (formats.includes("qr_code") && navigator.mediaDevices) {
  button.addEventListener("click", () => (stream ? stop() : start()));
} else {
  button.hidden = true;
  status.textContent = status.dataset.none;
}

// A scanner types wherever the cursor is: a code that landed in the amount is moved where it belongs.
amount.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !/[a-z]/i.test(amount.value)) return;
  event.preventDefault();
  code.value = amount.value;
  amount.value = amount.defaultValue;
  form.requestSubmit();
});
