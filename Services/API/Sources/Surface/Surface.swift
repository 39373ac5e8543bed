import Access
import HTTPTypes
import Hummingbird
import Logging
import Models
import NIOCore
import TrustedProxies

/// The HTTP surface: every route behind the same edge and the same checks.
enum Surface {
  static func router(_ routes: [Route], dispatcher: Dispatcher, edge: Edge) -> Router<APIRequestContext> {
    let router = Router(context: APIRequestContext.self, options: [.autoGenerateHeadEndpoints])
    router.add(middleware: edge)
    for route in routes {
      router.on(RouterPath(route.operation.path), method: route.operation.method) { request, context in
        try await dispatcher.respond(to: request, context, by: route)
      }
    }
    refuseOtherMethods(routes, router)
    return router
  }

  /// A path that exists answers 405 to what it does not have.
  private static func refuseOtherMethods(_ routes: [Route], _ router: Router<APIRequestContext>) {
    for (path, routes) in Dictionary(grouping: routes, by: \.operation.path) {
      var known = routes.map(\.operation.method)
      if known.contains(.get) { known.append(.head) }
      let allow = known.map(\.rawValue).sorted().joined(separator: ", ")
      for method in [HTTPRequest.Method.get, .head, .post, .put, .patch, .delete, .options, .trace] where !known.contains(method) {
        router.on(RouterPath(path), method: method) { _, _ -> Response in
          throw Problem(.methodNotAllowed, headers: [.allow: allow])
        }
      }
    }
  }
}
