// The right to play one lesson, and keeping it. With the platform's token the
// gateway gives a playback cookie that the <video> sends by itself; it is renewed
// before it ends, so nothing the viewer sees changes. After a reload there is no
// token any more, and the cookie alone plays on for as long as it lives.

import { ask, BASE, Refused, refusal } from './api.js';
import { remember, session } from './session.js';

const LOOK = 20000; // ms between two looks whether one may still watch
const FINAL = [401, 403, 404, 410]; // what a look is believed about; the rest may pass
const RELOADS = 4; // in a minute; more is no hitch but a fault
const HIDDEN = 1000; // ms that a paused video keeps its connection for when nobody sees the page

// requestGrant asks for the right to play a lesson. It needs the token of a user: without one,
// or with the token of a link for one lesson, there is nothing to ask, and it is null.
export function requestGrant(id) {
  if (!session.token || session.opens !== undefined) return null;
  const asked = ask('POST', `recordings/${id}/playback/`);
  asked.catch(() => {}); // whoever awaits it gets the refusal
  return asked;
}

// on: refused(problem) when it is over, until(date) when it cannot be renewed,
// captions(list) when they are known, freeze() before the video loads anew for no reason that
// the viewer knows of.
export class Playback {
  constructor(id, video, on) {
    Object.assign(this, { id, video, on, stream: history.state?.stream || `${BASE}/recordings/${id}/stream/` });
    this.token = ''; // goes into the address only where cookies are switched off
    this.until = 0; // by this computer's clock
    this.reloads = [];
    this.wanted = false; // whether the viewer wants it to run
    this.listeners = {
      error: () => this.recover(),
      play: () => { this.wanted = true; this.restore(); },
      pause: () => { if (!this.video.error) this.wanted = false; this.releaseLater(); },
      playing: () => { this.connected = true; },
      seeked: () => { this.connected = true; this.releaseLater(); },
    };
    for (const [name, f] of Object.entries(this.listeners)) video.addEventListener(name, f);
    this.looks = setInterval(() => this.look(), LOOK);
    // Timers sleep with the computer: whoever wakes it is looked after at once.
    this.wake = () => {
      if (!document.hidden && this.until && Date.now() > this.renewAt) this.renew();
      if (document.hidden) this.releaseLater();
      else this.restore();
    };
    document.addEventListener('visibilitychange', this.wake);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.idle);
    clearInterval(this.looks);
    document.removeEventListener('visibilitychange', this.wake);
    for (const [name, f] of Object.entries(this.listeners)) this.video.removeEventListener(name, f);
    this.video.removeAttribute('src');
    this.video.load();
  }

  // open gets the right, which may have been asked for already, and starts to load.
  async open(asked) {
    try {
      if (session.opens !== undefined) await this.openByToken();
      else if (session.token) await this.grant(asked);
      else await this.openByCookie();
      if (!this.closed) this.video.src = this.source();
    } catch (problem) {
      this.refuse(problem);
    }
  }

  async openByCookie() {
    await this.probe();
    if (!history.state?.until) return;
    this.until = history.state.until;
    this.on.until(new Date(this.until));
  }

  // openByToken plays with a link that was made for this one lesson.
  async openByToken() {
    this.token = session.token;
    this.inAddress = true; // there is no other way to give it to a <video>
    await this.probe();
    this.on.until(new Date(session.ends));
  }

  // grant asks for the right, new or again: the cookie comes with the answer.
  async grant(asked = requestGrant(this.id)) {
    const answer = await asked;
    if (this.closed) return;
    // Only the path is used: media comes from this host, and no token in it.
    this.stream = new URL(answer.url, location.href).pathname;
    this.token = answer.token;
    const life = Date.parse(answer.expires_at) - answer.serverTime;
    this.until = Date.now() + life;
    this.renewAt = Date.now() + life * 0.8;
    remember({ stream: this.stream, until: this.until });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew(), Math.min(life * 0.8, 2 ** 31 - 1));
    this.on.captions(answer.captions || []);
  }

  async renew() {
    if (this.closed) return;
    try {
      await this.grant();
      this.on.until(null);
    } catch (problem) {
      if (problem.status === 401) this.on.until(new Date(this.until));
      else if (FINAL.includes(problem.status)) this.refuse(problem);
      else if (!this.closed) { // passing: again in a while, sooner as the end comes near
        const left = Math.max(0, this.until - Date.now());
        this.timer = setTimeout(() => this.renew(), Math.max(problem.retryAfter * 1000, left / 4, 2000));
      }
    }
  }

  // releaseLater has a paused video give its connection back once nobody sees the page. A
  // browser reads ahead until its buffer is full and then leaves the response open: six such
  // pages are all the connections that it opens to a host, and each holds one of the user's
  // streams. A video that was never started has none: preload="metadata" reads what the first
  // frame needs. On the page that is seen Chromium ends the response after 15 s of a pause.
  releaseLater() {
    clearTimeout(this.idle);
    if (document.hidden && this.connected) this.idle = setTimeout(() => this.release(), HIDDEN);
  }

  // release loads the video anew, as one that was never started. It does not go where it stood
  // before restore: Firefox keeps the connection of a video that was sought.
  release() {
    const { video } = this;
    if (this.closed || this.recovering || !document.hidden || !video.paused || video.error || video.seeking) return;
    this.connected = false;
    if (document.pictureInPictureElement === video || loadedToEnd(video)) return;
    this.released = video.currentTime;
    this.on.freeze();
    video.src = this.source();
  }

  // restore goes back to where a released video stood.
  restore() {
    if (this.released === undefined) return;
    this.video.currentTime = this.released;
    this.released = undefined;
  }

  source() {
    return this.inAddress ? `${this.stream}?token=${encodeURIComponent(this.token)}` : this.stream;
  }

  // probe asks the stream as the <video> would. HEAD costs nobody anything; only
  // a refusal is asked again with a byte's range, for its reason.
  async probe() {
    try {
      const options = { cache: 'no-store', credentials: 'same-origin' };
      if ((await fetch(this.source(), { ...options, method: 'HEAD' })).ok) return;
      const why = await fetch(this.source(), { ...options, headers: { Range: 'bytes=0-0' } });
      if (!why.ok) throw await refusal(why);
    } catch (problem) {
      throw problem instanceof Refused ? problem : new Refused(0, 'offline');
    }
  }

  // look finds out that one may no longer watch even while what was loaded plays on.
  async look() {
    if (this.closed || this.video.paused || this.video.error || !this.video.src) return;
    try {
      await this.probe();
    } catch (problem) {
      if (problem.status === 401 && session.token) this.recover();
      else if (FINAL.includes(problem.status)) this.refuse(problem);
    }
  }

  // recover is for a <video> that failed, which never says why: the right is asked
  // for again, which tells, and when it is given the lesson goes on where it stood.
  async recover() {
    if (this.closed || this.recovering) return;
    this.recovering = true;
    const at = this.released ?? this.video.currentTime;
    this.released = undefined;
    const code = this.video.error?.code;
    try {
      if (session.token) await this.grant().catch((problem) => { if (problem.status !== 401) throw problem; });
      await this.probe().catch(async (problem) => {
        if (problem.status !== 401 || !this.token || this.inAddress) throw problem;
        this.inAddress = true; // the cookie did not come back: cookies are switched off
        await this.probe();
      });
      if (this.closed || (!this.video.error && !this.inAddress)) return;
      this.reloads = [...this.reloads.filter((time) => time > Date.now() - 60000), Date.now()];
      if (this.reloads.length > RELOADS) throw new Refused(0, code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED || code === MediaError.MEDIA_ERR_DECODE ? 'unsupported' : 'unknown');
      const go = this.wanted;
      this.video.src = this.source();
      this.video.currentTime = at; // before there is metadata: where to begin
      if (go) await this.video.play().catch(() => {});
    } catch (problem) {
      this.refuse(problem);
    } finally {
      this.recovering = false;
    }
  }

  refuse(problem) {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.on.refused(problem instanceof Refused ? problem : new Refused(0, 'unknown'));
  }
}

// loadedToEnd is whether all that follows is there, so that the response has ended.
function loadedToEnd({ buffered, currentTime, duration }) {
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime && buffered.end(i) >= duration - 0.5) return true;
  }
  return false;
}
