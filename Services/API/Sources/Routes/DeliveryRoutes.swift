import HTTPTypes
import Hummingbird
import Models
import Store

/// What became of messages at a webhook, and how they are sent again.
struct DeliveryRoutes: Sendable {
  let webhooks: WebhookStore

  private static let path = "/api/v1/webhooks/{webhook_id}/deliveries"

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: Self.path, id: "listDeliveries", group: .webhooks,
          summary: "A webhook's deliveries with every attempt, newest first.",
          query: [
            Operation.Parameter(
              name: "state", schema: .word(WebhookDeliveryState.allCases.map(\.rawValue)),
              note: "All when left out; dead ones were given up."),
            Shapes.limit, Shapes.cursor,
          ],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("deliveries", of: WebhookShapes.delivery))),
          problems: [.webhookNotFound]), list),
      Route(
        Operation(
          method: .get, path: Self.path + "/{delivery_id}", id: "getDelivery", group: .webhooks, summary: "One delivery.",
          answer: .init(status: .ok, note: "The delivery.", content: .json(WebhookShapes.delivery)),
          problems: [.webhookNotFound, .deliveryNotFound]), get),
      Route(
        Operation(
          method: .post, path: Self.path + "/{delivery_id}/retry", id: "retryDelivery", group: .webhooks,
          summary: "Tries a delivery again at once, whatever became of it, with all retries before it and under the same webhook-id.",
          answer: .init(status: .accepted, note: "The delivery.", content: .json(WebhookShapes.delivery)),
          problems: [.webhookNotFound, .deliveryNotFound]), retry),
      Route(
        Operation(
          method: .post, path: "/api/v1/webhooks/{webhook_id}/replay", id: "replayDeliveries", group: .webhooks,
          summary: "Tries again what was given up, the oldest first, under the same webhook-ids.",
          body: .init(
            schema: .named(
              "Replay",
              .object([
                .required("since", .moment, "Messages made from then on."), .optional("until", .moment, "Up to now when left out."),
                .optional("include_delivered", .boolean, "Also what was delivered: for a receiver that has lost what it had."),
              ]))),
          answer: .init(
            status: .accepted, note: "How many are due again.",
            content: .json(
              .object([
                .required("replayed", .count),
                .required("next_since", .nullable(.moment), "Null when that is all; else ask again since then."),
              ]))),
          problems: [.webhookNotFound]), replay),
    ]
  }

  private func list(_ call: Call) async throws -> Response {
    let webhook = try await webhooks.webhook(for: call)
    let question = ["deliveries", webhook.id.text] + call.narrowing(["state"])
    let after = try call.cursor(for: question, count: 1).map { cursor throws(Problem) in
      guard let id = Int64(cursor.parts[0]) else { throw Problem(.invalidCursor) }
      return id
    }
    let page = try await webhooks.deliveries(
      of: webhook.id, state: call.query["state"].flatMap { WebhookDeliveryState(rawValue: $0) }, after: after,
      limit: call.integer("limit", default: 100))
    let next = page.next.map { Cursor([String($0)]).text(for: question) }
    return .json(Shapes.json("deliveries", page.items.map { WebhookShapes.json($0) }, next: next))
  }

  private func get(_ call: Call) async throws -> Response {
    .json(WebhookShapes.json(try await delivery(call, of: try await webhooks.webhook(for: call))))
  }

  private func delivery(_ call: Call, of webhook: Webhook) async throws -> WebhookDelivery {
    guard let id = Int64(call.path["delivery_id"] ?? ""), let delivery = try await webhooks.delivery(id, of: webhook.id) else {
      throw Problem(.deliveryNotFound)
    }
    return delivery
  }

  private func retry(_ call: Call) async throws -> Response {
    let webhook = try await webhooks.webhook(for: call)
    guard let id = Int64(call.path["delivery_id"] ?? ""), try await webhooks.retry(id, of: webhook.id) else {
      throw Problem(.deliveryNotFound)
    }
    return .json(WebhookShapes.json(try await delivery(call, of: webhook)), status: .accepted)
  }

  private func replay(_ call: Call) async throws -> Response {
    let webhook = try await webhooks.webhook(for: call)
    let (since, until) = (moment("since", call.body), moment("until", call.body))
    if let since, let until, until <= since {
      throw Problem(.invalidBody, violations: [Violation(place: "/until", detail: "must be after since")])
    }
    let includesDelivered = call.body.raw("include_delivered")?.elementsEqual("true".utf8) ?? false
    let (count, next) = try await webhooks.replay(
      WebhookReplay(HistoryWindow(from: since, to: until), includesDelivered: includesDelivered), of: webhook.id)
    return .json(["replayed": .integer(Int64(count)), "next_since": .optional(next) { .time($0) }], status: .accepted)
  }

  private func moment(_ name: String, _ body: JSONObject) -> Timestamp? { body.string(name).flatMap { Timestamp(iso8601: $0) } }
}
