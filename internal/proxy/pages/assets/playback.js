// The right to play one lesson, and keeping it. To a person who is signed in the
// gateway gives a playback cookie that the <video> sends by itself; it is renewed
// before it ends, so nothing the viewer sees changes. When the session has ended
// the cookie alone plays on for as long as it lives.

import { BASE, grantOf } from './addresses.js';
import { ask, Refused, refusal, request } from './api.js';
import { watchNetwork } from './network.js';
import { releaseWhenHidden } from './release.js';
import { exchangeEmbedded, played, remember, session } from './session.js';

const LOOK = 2000; // ms between two looks whether one may still watch
const UNSEEN = 10; // of how many looks one is taken while nobody sees the page
const FINAL = [401, 403, 404, 410]; // statuses that end a lesson; the others may pass
const RELOADS = 4; // in a minute; more is no hitch but a fault

// requestGrant asks for the right to play a lesson, or takes the response to a request that was
// sent already. It needs the token of a user: without one, or with the token of a link for one
// lesson, there is nothing to ask, and it is null.
export function requestGrant(id, sent) {
  if (!session.hasUser) return null;
  const asked = ask('POST', grantOf(id), { sent });
  asked.catch(() => {}); // the refusal is for what awaits it
  return asked;
}

// on: refused(problem) when it is over, until(date) when it cannot be renewed,
// captions(list) when they are known, freeze() before the video loads anew for no reason that
// the viewer knows of, lost(gone) when the network goes and comes back, and dropped() when a
// variant is no more and the recording itself plays on.
export class Playback {
  constructor(id, video, on) {
    Object.assign(this, { id, video, on, stream: history.state?.stream || `${BASE}/recordings/${id}/stream/` });
    this.token = ''; // goes into the address only where cookies are switched off
    this.until = 0; // by this computer's clock
    this.variant = ''; // the path of a companion that plays in the recording's stead
    this.reloads = [];
    this.unseen = 0; // looks since the page was opened while nobody saw it
    this.network = watchNetwork({
      probe: () => this.probe(),
      lost: () => on.lost(true),
      back: () => { on.lost(false); this.resume(); },
      refused: (problem) => { on.lost(false); this.handleRefusal(problem) || this.recover(); },
    });
    this.wanted = false; // whether the viewer wants it to run
    this.listeners = {
      error: () => this.recover(),
      play: () => { this.wanted = true; },
      pause: () => { if (!this.video.error) this.wanted = false; },
    };
    this.connection = releaseWhenHidden(video, {
      busy: () => this.closed || this.recovering,
      load: () => { on.freeze(); video.src = this.source(); },
    });
    for (const [name, f] of Object.entries(this.listeners)) video.addEventListener(name, f);
    this.looks = setInterval(() => this.look(), LOOK);
    // Timers sleep with the computer: what was due is done when it wakes.
    this.wake = () => {
      if (!document.hidden && this.until && Date.now() > this.renewAt) this.renew();
    };
    document.addEventListener('visibilitychange', this.wake);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearInterval(this.looks);
    this.network.close();
    this.connection.close();
    document.removeEventListener('visibilitychange', this.wake);
    for (const [name, f] of Object.entries(this.listeners)) this.video.removeEventListener(name, f);
    this.video.removeAttribute('src');
    this.video.load();
  }

  // open gets the right, which may have been asked for already, and starts to load.
  async open(asked) {
    try {
      if (session.embedded && !session.signedIn) await exchangeEmbedded(); // what a cookie plays may be the user's before
      if (session.opens !== undefined) await this.openByToken();
      else if (session.signedIn) await this.grant(asked);
      else await this.openByCookie();
      if (!this.closed) this.begin();
    } catch (problem) {
      if (problem.status === 401 && session.refused) problem.code = session.refused;
      this.refuse(problem);
    }
  }

  // begin loads the video, unless early.js has begun to.
  begin() {
    const source = this.source();
    if (this.video.getAttribute('src') !== source) this.video.src = source;
    else if (this.video.error) this.recover();
  }

  async openByCookie() {
    await this.probe();
    this.on.captions(history.state?.captions || []);
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
    const captions = (answer.captions || []).map(({ label, lang }) => ({ label, lang }));
    played(this.id);
    remember({ stream: this.stream, until: this.until, captions });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew(), Math.min(life * 0.8, 2 ** 31 - 1));
    this.on.captions(captions);
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

  source() {
    return this.signed(this.variant || this.stream, this.inAddress);
  }

  signed(path, inAddress) {
    return inAddress && this.token ? `${path}?token=${encodeURIComponent(this.token)}` : path;
  }

  // resource is the address of what belongs to the recording, as "poster.jpg". A <track> needs
  // the token in it where the cookie may not come back.
  resource(name, inAddress = this.inAddress) {
    return this.signed(this.stream.replace(/stream\/?$/, '') + name, inAddress);
  }

  // read fetches what belongs to the recording; a refusal is thrown.
  read(name) {
    return request(this.resource(name, false), { token: this.token || session.token, cache: 'no-store' });
  }

  // switchTo plays a companion instead of the recording, or the recording again for '', from
  // the same place on.
  switchTo(path) {
    if (path === this.variant) return;
    this.variant = path;
    this.load(this.connection.take());
  }

  // load begins anew at a place, and plays if the viewer wants it to.
  load(at, go = this.wanted) {
    this.video.src = this.source();
    this.video.currentTime = at; // before there is metadata: where to begin
    if (go) this.video.play().catch(() => {});
  }

  // resume goes on once the network is back, where the browser itself has given up or waits.
  resume() {
    const { video } = this;
    if (this.closed || !video.getAttribute('src')) return;
    if (video.error || (this.wanted && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA)) this.load(this.connection.take());
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
    if (this.closed || this.looking || this.network.gone || this.video.paused || this.video.error || !this.video.src) return;
    if (document.hidden && ++this.unseen % UNSEEN) return;
    this.looking = true;
    try {
      await this.probe();
    } catch (problem) {
      if (problem.status) this.handleRefusal(problem);
      else this.network.lose();
    } finally {
      this.looking = false;
    }
  }

  // handleRefusal recovers from a session's end and ends on other final refusals. It reports
  // whether the refusal was one of these.
  handleRefusal(problem) {
    if (problem.status === 401 && session.signedIn) this.recover();
    else if (FINAL.includes(problem.status)) this.fail(problem);
    else return false;
    return true;
  }

  // fail ends the lesson, or only the variant of it that is refused.
  fail(problem) {
    if (!this.variant || !FINAL.includes(problem.status)) return this.refuse(problem);
    this.on.dropped();
    this.switchTo('');
  }

  // recover is for a <video> that failed, which never says why: a new grant is requested, whose
  // refusal says it. Once it is given the lesson goes on where it stood.
  async recover() {
    if (this.closed || this.recovering) return;
    this.recovering = true;
    const code = this.video.error?.code;
    try {
      if (session.signedIn) await this.grant().catch((problem) => { if (problem.status !== 401) throw problem; });
      await this.probe().catch(async (problem) => {
        if (problem.status !== 401 || !this.token || this.inAddress) throw problem;
        this.inAddress = true; // the cookie did not come back: cookies are switched off
        await this.probe();
      });
      if (this.closed || (!this.video.error && !this.inAddress)) return;
      this.reloads = [...this.reloads.filter((time) => time > Date.now() - 60000), Date.now()];
      if (this.reloads.length > RELOADS) throw new Refused(0, code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED || code === MediaError.MEDIA_ERR_DECODE ? 'unsupported' : 'unknown');
      this.load(this.connection.take());
    } catch (problem) {
      if (problem.code === 'offline') this.network.lose();
      else this.fail(problem);
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
