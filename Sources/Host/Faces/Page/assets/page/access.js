// Who may read and act: the login, the logout, and the actions of an admin, each after a question.

import { byId, keep, make, show, text } from "./dom.js";
import { refusal } from "./feed.js";

const post = (path, body, headers = {}) => fetch(path, {
  method: "POST", cache: "no-store", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body),
});

export class Access {
  /** `onChange` is called after a login or a logout. */
  constructor(onChange) {
    this.onChange = onChange;
    this.hello = null;
    byId("login-form").addEventListener("submit", (event) => this.login(event));
    byId("logout").addEventListener("click", () => this.logout());
    byId("reload").addEventListener("click", () => this.act("reload", {}, {
      title: "Reload the configuration?", yes: "Reload",
      says: "The host reads its configuration file again. What is wrong with it is shown here, and then nothing changes.",
    }));
    byId("drain").addEventListener("click", () => this.act("drain", {}, {
      title: "Drain and stop the host?", yes: "Drain and stop", isDanger: true,
      says: "New calls are refused, running calls may finish, and then the host ends. Whoever supervises it may start it again.",
    }));
    byId("ask-no").addEventListener("click", () => byId("ask-dialog").close());
    byId("ask-yes").addEventListener("click", () => this.perform());
  }

  /** Without a token against forgery there is nothing to act with. */
  get mayAct() {
    return Boolean(this.hello?.csrf) && this.hello.role !== "viewer";
  }

  set(hello) {
    this.hello = hello;
    this.showLogin(false);
    show(byId("operate"), this.mayAct);
    show(byId("who"), Boolean(hello.principal));
    text(byId("who-name"), `${hello.principal} (${hello.role})`);
  }

  showLogin(isNeeded) {
    const isNew = isNeeded && byId("login").hidden;
    show(byId("login"), isNeeded);
    show(byId("content"), !isNeeded);
    document.querySelector(".bar nav").hidden = isNeeded;
    if (isNeeded) show(byId("who"), false);
    if (isNew) byId("token").focus();
  }

  async login(event) {
    event.preventDefault();
    const field = byId("token");
    text(byId("login-error"), "");
    try {
      const answer = await post("/login", { token: field.value });
      if (!answer.ok) throw new Error(await refusal(answer));
      field.value = "";
      this.onChange();
    } catch (error) {
      text(byId("login-error"), `Not logged in: ${error.message}`);
      field.select();
    }
  }

  async logout() {
    await post("/logout", {}).catch(() => {});
    this.onChange();
  }

  unquarantine(provider) {
    this.act("unquarantine", { provider }, {
      title: `Let ${provider} run again?`, yes: "Let it run",
      says: "Its worker crashed too often and was set aside. It is started again, and set aside again if it goes on crashing.",
    });
  }

  act(action, body, { title, says, yes, isDanger = false }) {
    this.asked = { action, body };
    text(byId("ask-title"), title);
    text(byId("ask-text"), says);
    this.say([]);
    text(byId("ask-yes"), yes);
    text(byId("ask-no"), "Cancel");
    byId("ask-yes").className = isDanger ? "danger" : "";
    byId("ask-yes").disabled = false;
    show(byId("ask-yes"), true);
    byId("ask-dialog").showModal();
    byId("ask-no").focus();
  }

  async perform() {
    const { action, body } = this.asked;
    byId("ask-yes").disabled = true;
    this.say(["Asking the host…"]);
    try {
      const answer = await post(`/actions/${action}`, body, { "X-Patchbay-Token": this.hello.csrf });
      if (!answer.ok) throw new Error(await refusal(answer));
      const { done, lines } = await answer.json();
      this.say([done ? "Done." : "Not done.", ...lines]);
    } catch (error) {
      this.say([`Not done: ${error.message}`]);
    }
    show(byId("ask-yes"), false);
    text(byId("ask-no"), "Close");
    byId("ask-no").focus();
  }

  say(lines) {
    const numbered = lines.map((line, index) => ({ line, key: `${index} ${line}` }));
    keep(byId("ask-lines"), numbered, ({ key }) => key, ({ line }) => ({ node: make("li", {}, line) }), () => {});
  }
}
