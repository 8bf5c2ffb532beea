// What a shop's Node server does with Segment's own library: host and write key are all that it is told.
const { Analytics } = require("@segment/analytics-node");

const [host, writeKey, userId] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
analytics.identify({ userId, traits: { plan: "gold", firstName: "Nóra" } });
analytics.page({ userId, name: "Home", properties: { url: "https://shop.example.com/" } });
analytics.screen({ userId, name: "Start" });
analytics.group({ userId, groupId: "club" });
analytics.alias({ userId, previousId: `${userId}-before` });
analytics.track({ userId, event: "Product Viewed", properties: { product_id: "CD-5", price: 12.5 } });
analytics.closeAndFlush();
