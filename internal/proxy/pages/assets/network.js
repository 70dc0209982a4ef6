// A network that is gone: noticed at once, tried again with pauses and as soon as the browser
// says that it is back.

const PAUSES = [1000, 2000, 4000, 8000, 15000]; // ms; the last one repeats

// watchNetwork calls lost() once when nothing can be reached, back() when probe succeeds
// again, and refused(problem) when it is answered with a refusal instead.
export function watchNetwork({ probe, lost, back, refused }) {
  let gone = false;
  let tries = 0;
  let timer = 0;
  let trying = false;

  function lose() {
    if (gone) return;
    gone = true;
    tries = 0;
    lost();
    timer = setTimeout(attempt, PAUSES[0]);
  }

  async function attempt() {
    if (!gone || trying) return;
    clearTimeout(timer);
    trying = true;
    try {
      await probe();
      if (!gone) return;
      gone = false;
      back();
    } catch (problem) {
      if (!gone) return;
      if (problem.status) {
        gone = false;
        refused(problem);
      } else timer = setTimeout(attempt, PAUSES[Math.min(++tries, PAUSES.length - 1)]);
    } finally {
      trying = false;
    }
  }

  window.addEventListener('offline', lose);
  window.addEventListener('online', attempt);
  return {
    lose,
    get gone() { return gone; },
    close() {
      gone = false;
      clearTimeout(timer);
      window.removeEventListener('offline', lose);
      window.removeEventListener('online', attempt);
    },
  };
}
