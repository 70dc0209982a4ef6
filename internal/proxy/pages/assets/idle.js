// whenIdle calls f once the browser has nothing else to do. Safari cannot say when.
export const whenIdle = window.requestIdleCallback || ((f) => setTimeout(f, 300));
