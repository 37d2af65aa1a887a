/// The script of the pages. They say all they know without it; it copies commands, keeps what is running fresh and runs
/// the playground.
enum Script {
    static let text = """
        "use strict";
        (() => {
          const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

          // Commands that can be copied.
          for (const button of all("[data-copy]")) {
            if (!navigator.clipboard) continue;
            button.hidden = false;
            button.addEventListener("click", async () => {
              try {
                await navigator.clipboard.writeText(button.dataset.copy);
                button.textContent = "Copied";
              } catch {
                button.textContent = "Not allowed";
              }
              setTimeout(() => { button.textContent = "Copy"; }, 1500);
            });
          }

          // The newest end of a long timeline is the interesting one.
          for (const drawing of all("svg.timeline")) drawing.parentElement.scrollLeft = drawing.clientWidth;

          // A part of another page, put in the place of the one with the same name in this one.
          const replace = async (address, name) => {
            const reply = await fetch(address, { headers: { accept: "text/html" } });
            if (!reply.ok) return false;
            const other = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById(name);
            const mine = document.getElementById(name);
            if (!other || !mine) return false;
            if (other.innerHTML !== mine.innerHTML) mine.replaceWith(document.adoptNode(other));
            return true;
          };
          const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

          // Weights that are being counted.
          const awaitWeights = async () => {
            for (let tries = 0; tries < 600; tries += 1) {
              const part = document.getElementById("weights");
              if (!part || !part.dataset.await) return;
              await wait(tries < 10 ? 700 : 3000);
              if (!(await replace(part.dataset.await, "weights"))) return;
            }
          };
          awaitWeights().catch(() => {});

          // What is running, and how far it is.
          const running = document.getElementById("running");
          if (running) watch(running.dataset.events);

          function watch(address) {
            let waiting = false;
            // Several events at once ask for one newer page.
            const renew = async (from, name) => {
              if (waiting) return;
              waiting = true;
              await wait(300);
              waiting = false;
              await replace(from, name).catch(() => false);
            };
            const source = new EventSource(address);
            source.addEventListener("journal", () => renew("/", "content"));
            source.addEventListener("registration", () => renew("/running", "running"));
            source.addEventListener("progress", (event) => show(JSON.parse(event.data)));
            // Refused, or too many watch: ask now and then instead.
            source.addEventListener("error", async () => {
              while (source.readyState === EventSource.CLOSED) {
                await wait(10000);
                await replace("/running", "running").catch(() => false);
              }
            });
            window.addEventListener("pagehide", () => source.close());
          }

          // One step of what this server runs: "train: 12 of 50 steps, 40 s left, loss 0.41".
          function show(event) {
            const part = document.querySelector("[data-live]");
            if (!part) return;
            const words = [`${event.activity}: ${event.completed}`];
            if (event.total) words[0] += ` of ${event.total}`;
            words[0] += ` ${event.unit}`;
            if (event.seconds_left) words.push(`${Math.round(event.seconds_left)} s left`);
            for (const name of ["loss", "completion_tokens"]) {
              if (name in event.metrics) words.push(`${name.replace("_", " ")} ${event.metrics[name].toPrecision(3)}`);
            }
            part.hidden = false;
            part.querySelector("p").textContent = words.join(", ");
            const bar = part.querySelector("progress");
            if (event.total) bar.value = event.completed / event.total;
            else bar.removeAttribute("value");
          }

          // The playground.
          const form = document.getElementById("playground");
          if (!form) return;
          const value = (name) => document.getElementById(name).value;
          const stop = document.getElementById("stop");
          let control = null;

          // Server-sent events: lines "data: ..." with an empty line after each.
          async function* events(reply) {
            const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
            let rest = "";
            for (;;) {
              const { value: piece, done } = await reader.read();
              if (done) return;
              rest += piece;
              let end;
              while ((end = rest.search(/\\r?\\n/)) >= 0) {
                const line = rest.slice(0, end);
                rest = rest.slice(end + (rest[end] === "\\r" ? 2 : 1));
                if (line.startsWith("data:")) yield line.slice(5).trimStart();
              }
            }
          }

          const problem = async (reply) => {
            try {
              const body = await reply.json();
              return (body.error && body.error.message) || body.detail || body.title || `status ${reply.status}`;
            } catch {
              return `status ${reply.status}`;
            }
          };

          const ask = async (side, signal) => {
            const part = document.getElementById(`answer-${side}`);
            const text = part.querySelector("[data-text]");
            const state = part.querySelector("[data-state]");
            const choice = document.getElementById(`model-${side}`);
            part.querySelector("[data-model]").textContent = choice.selectedOptions[0].textContent;
            text.textContent = "";
            state.textContent = "waiting";
            const system = value("system").trim();
            const messages = [{ role: "user", content: value("prompt") }];
            if (system) messages.unshift({ role: "system", content: system });
            const started = performance.now();
            let pieces = 0;
            const spent = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
            try {
              const reply = await fetch(form.dataset.endpoint, {
                method: "POST",
                signal,
                headers: { "content-type": "application/json" },
                body: JSON.stringify({
                  model: choice.value, messages, stream: true, temperature: Number(value("temperature")),
                  max_tokens: Number(value("max-tokens")), seed: Number(value("seed")),
                }),
              });
              if (!reply.ok) {
                state.textContent = `refused: ${await problem(reply)}`;
                return;
              }
              let reason = "";
              for await (const data of events(reply)) {
                if (data === "[DONE]") break;
                const event = JSON.parse(data);
                if (event.error) throw new Error(event.error.message || "the server gave up");
                for (const choice of event.choices || []) {
                  if (choice.delta && choice.delta.content) {
                    text.append(choice.delta.content);
                    pieces += 1;
                    state.textContent = `${pieces} pieces, ${spent()}`;
                  }
                  if (choice.finish_reason) reason = choice.finish_reason;
                }
              }
              state.textContent = `${pieces} pieces in ${spent()}` + (reason ? `, ended by ${reason}` : "");
            } catch (error) {
              state.textContent = error.name === "AbortError" ? `stopped after ${spent()}` : `failed: ${error.message}`;
            }
          };

          form.addEventListener("submit", async (event) => {
            event.preventDefault();
            if (control) control.abort();
            const mine = new AbortController();
            control = mine;
            stop.disabled = false;
            await Promise.all(["left", "right"].map((side) => ask(side, mine.signal)));
            if (control === mine) {
              control = null;
              stop.disabled = true;
            }
          });
          stop.addEventListener("click", () => { if (control) control.abort(); });
        })();

        """
}
