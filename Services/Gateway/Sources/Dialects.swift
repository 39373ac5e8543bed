/// The dialects that the gateway speaks, by their endpoints. Each is a folder of its own; this list and its pure wire types in `Models` are all that the rest knows of it.
enum Dialects {
  static func endpoints(_ neighbours: Neighbours) -> [Endpoint] {
    [EpicuraDialect.endpoint] + WebMACSDialect.endpoints(neighbours.devices) + ReefnetDialect.endpoints(neighbours)
      + [OHT50Dialect.endpoint(neighbours.oht50)]
  }
}
