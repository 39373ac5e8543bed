// The events of `/ws`, for editors and type checkers: `event.type` tells which `data` it has. Every member of `data` may be missing all
// the same: it is the device's word. There is no code here.

/**
 * What all have in common. `id` is the event's place in the log; what was never in the log (a refusal told to its sender alone) has none.
 * @template {string} Type
 * @template Data
 * @typedef {{ type: Type, appliance_id: string, timestamp: string, id?: string, data: Data }} Envelope
 */

/**
 * @typedef {Envelope<"cooking:started", { session_id: string, recipe_id: string, recipe_name: string, total_stages: number,
 *   estimated_time_minutes: number }>} CookingStarted
 *
 * @typedef {Envelope<"cooking:progress", { session_id: string, current_stage: number, stage_name: string, total_stages: number,
 *   progress_pct: number, temperature: number, target_temperature: number, stir_active: boolean, stir_pattern: string,
 *   time_remaining_s: number, cv_status?: { class: string, confidence: number } }>} CookingProgress
 *
 * @typedef {Envelope<"cooking:stage_change", { session_id: string,
 *   previous_stage: { index: number, name: string, duration_s: number, result: string, transition: string },
 *   next_stage: { index: number, name: string, estimated_duration_s: number } }>} CookingStageChange
 *
 * @typedef {Envelope<"cooking:complete", { session_id: string, recipe_name: string, total_duration_s: number, stages_completed: number,
 *   peak_temperature: number, cv_transitions: number, timer_transitions: number }>} CookingComplete
 *
 * @typedef {Envelope<"cooking:error", { session_id: string, error_code: string, message: string, severity: "warning" | "critical",
 *   action_taken: string }>} CookingError
 *
 * @typedef {Envelope<"appliance:status", { status: "online" | "offline" | "cooking" | "error", firmware_version_cm5?: string,
 *   firmware_version_stm32?: string }>} ApplianceStatus
 *
 * @typedef {Envelope<"appliance:alert", { alert_type: string, message: string, priority: string }>} ApplianceAlert
 */

/**
 * What becomes of commands, of anybody's.
 * @typedef {Envelope<"command:requested", { command_id: string, type: string, expires_at: string, user_id: string, request_id?: string,
 *   data: object }>} CommandRequested
 * @typedef {Envelope<"command:sent", { command_id: string, type: string }>} CommandSent
 * @typedef {Envelope<"command:acknowledged", { command_id: string, type: string, message?: string }>} CommandAcknowledged
 * @typedef {Envelope<"command:failed", { command_id: string, type: string, code: string, message: string }>} CommandFailed
 */

/**
 * An appliance of another dialect is watched on `/ws` too: its frames are in `data` without loss.
 * @typedef {Envelope<"telemetry:datapoints", { datapoints: { value: number, event_public_id: string, timestamp: string,
 *   experiment_public_id: string | null }[] }>} LabDatapoints
 * @typedef {Envelope<string, Record<string, unknown>>} OtherEvent any other dialect's, and any that this page does not know yet
 *
 * @typedef {CookingStarted | CookingProgress | CookingStageChange | CookingComplete | CookingError | ApplianceStatus | ApplianceAlert
 *   | CommandRequested | CommandSent | CommandAcknowledged | CommandFailed | LabDatapoints | OtherEvent} MartletEvent
 */

export {};
