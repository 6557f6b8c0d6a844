// Opens the WebSocket echo and shows whether what was said came back.
const shown = document.getElementById("echo");
const show = (state, words) => {
  shown.className = state;
  shown.textContent = words;
};
const said = "hello from " + location.host;
const socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/echo");
let begun;

show("waiting", "opening …");
socket.onopen = () => {
  begun = performance.now();
  socket.send(said);
};
socket.onmessage = (message) => {
  const took = (performance.now() - begun).toFixed(1);
  if (message.data === said) show("good", `“${said}” came back in ${took} ms; the connection stays open`);
  else show("bad", "something else came back");
};
socket.onerror = () => show("bad", "could not be opened");
socket.onclose = (event) => {
  if (shown.className === "good") show("waiting", "closed" + (event.reason ? ": " + event.reason : ""));
};
