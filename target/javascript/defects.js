// Defects that can be planted: the variable DEFECT names one. Without it there is none.

export const DOUBLE_SHIP = "double_ship";
export const SKIP_RELEASE = "skip_release";
export const LOST_UPDATE = "lost_update";

let counter = 0;

/** What three more defects take into what the workflow orders, each time that its code is executed. */
export const MARKS = {
  random_number: () => Math.random(),
  clock: () => performance.timeOrigin + performance.now(),
  global_counter: () => ++counter,
};
