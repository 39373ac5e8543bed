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
 * What rules and devices have raised; `metric` and `value` only where there are any.
 * @typedef {{ alarm_id: number, source: string, name: string, severity: "info" | "warning" | "critical", raised_count: number,
 *   metric?: string, value?: number }} Alarm `source`: `rule:<id>`, or `code:<the device's code>`
 * @typedef {Envelope<"alarm:raised" | "alarm:updated" | "alarm:cleared", Alarm>} AlarmEvent
 * @typedef {Envelope<"alarm:acknowledged", Alarm & { acknowledged_by: string }>} AlarmAcknowledged
 * @typedef {Envelope<"rule:triggered", { rule_id: string, name: string, severity: "info" | "warning" | "critical", metric?: string,
 *   value?: number }>} RuleTriggered
 */

/**
 * An appliance of another dialect is watched on `/ws` too: its frames are in `data` without loss. A lab's readings, and a heater's frames:
 * @typedef {Envelope<"telemetry:datapoints", { datapoints: { value: number, event_public_id: string, timestamp: string,
 *   experiment_public_id: string | null }[] }>} LabDatapoints
 *
 * @typedef {Envelope<"reefnet:status", { payload: { uptime_s: number, firmware?: { version: string, build: string },
 *   network?: { ip: string, mac: string, ssid: string, rssi_dbm: number }, environment: { temperature_c: number | null },
 *   subsystems: HeaterSubsystem[] } }>} HeaterStatus
 * @typedef {{ key: string, label: string, kind: string, submodule_id: string, state: "heating" | "idle" | "locked",
 *   badge: "ok" | "active" | "alarm", safety_lockout: boolean, visible_alarm: string, setpoints: Record<string, number | boolean>,
 *   safety: { state: Record<string, boolean | string>, alarms: { code: string, title: string, detail?: string, triggered_at?: string }[] },
 *   sensors: { label: string, value: number | null, unit: string }[] }} HeaterSubsystem
 * @typedef {Envelope<"reefnet:alarm", { payload: { severity: "critical" | "warning" | "info", code: string, message: string,
 *   category?: string, active: boolean, detail?: string, triggered_at?: string, cleared_at?: string, meta?: object } }>} HeaterAlarm
 */

/**
 * A robot's.
 * @typedef {{ x: number, y: number, z: number }} Position
 * @typedef {Envelope<"system.status", { status: "idle" | "moving" | "docking" | "fault" | "estop",
 *   state: "ready" | "busy" | "error" | "maintenance", uptime: number, version: string,
 *   health: { cpu: number, memory: number, disk: number, temperature: number } }>} RobotStatus
 * @typedef {Envelope<"telemetry.realtime", { position: Position, velocity: { linear: number, angular: number },
 *   acceleration: { linear: number, angular: number }, sensors: Record<string, number> }>} RobotTelemetry
 * @typedef {Envelope<"mission.started", { mission_id: string, mission_type: "transport" | "inspection" | "maintenance",
 *   start_position: Position, target_position: Position }>} MissionStarted
 * @typedef {Envelope<"mission.progress", { mission_id: string, progress: number, current_position: Position, remaining_distance: number,
 *   estimated_completion: string }>} MissionProgress
 * @typedef {Envelope<"mission.completed", { mission_id: string, status: "success" | "failed" | "cancelled", completion_time: number,
 *   final_position: Position, summary: Record<string, number> }>} MissionCompleted
 * @typedef {Envelope<"safety.zone_entered", { zone_id: string, zone_type: "restricted" | "warning" | "safe", position: Position,
 *   action: "slow_down" | "stop" | "alert" }>} ZoneEntered
 * @typedef {Envelope<"safety.estop", { estop_id: string, trigger_type: "hardware" | "software" | "remote", position: Position,
 *   emergency_level: "critical" | "warning", auto_recovery: boolean }>} EmergencyStop
 * @typedef {Envelope<"safety.clear", { cleared_by: "operator" | "system" | "auto", position: Position,
 *   next_action: "resume" | "return_home" | "manual_control" }>} SafetyClear
 * @typedef {Envelope<"module.discovered", { module_id: string, module_type: "motor" | "sensor" | "actuator", address: string,
 *   firmware_version: string, status: "online" | "offline" | "error" }>} ModuleDiscovered
 * @typedef {Envelope<"module.status_change", { module_id: string, old_status: string, new_status: string, error_code?: string,
 *   error_description?: string }>} ModuleStatusChange
 *
 * @typedef {RobotStatus | RobotTelemetry | MissionStarted | MissionProgress | MissionCompleted | ZoneEntered | EmergencyStop | SafetyClear
 *   | ModuleDiscovered | ModuleStatusChange} RobotEvent
 */

/**
 * Events of any other type come too, now or in a later version of a device: keep a `default` in what looks at `type`. They are not among
 * these, for a type that may be any text would keep an editor from telling which `data` belongs to which `type`.
 * @typedef {Envelope<string, Record<string, unknown>>} OtherEvent
 *
 * @typedef {CookingStarted | CookingProgress | CookingStageChange | CookingComplete | CookingError | ApplianceStatus | ApplianceAlert
 *   | CommandRequested | CommandSent | CommandAcknowledged | CommandFailed | AlarmEvent | AlarmAcknowledged | RuleTriggered | LabDatapoints
 *   | HeaterStatus | HeaterAlarm | RobotEvent} MartletEvent
 */

export {};
