// Records, lists and counts with the client that was generated for TypeScript: what a developer writes.
import { activitiesBatchCreate, activitiesList, smartListsEvaluateRules } from "./generated";
import { client } from "./generated/client.gen";

declare const process: { argv: string[] };

async function main(): Promise<void> {
  client.setConfig({ baseUrl: process.argv[2], headers: { Authorization: `Bearer ${process.argv[3]}` } });
  const recorded = await activitiesBatchCreate({
    throwOnError: true,
    body: {
      activities: [
        {
          activity_type: "depositCheck",
          person: { email: "ann@example.com" },
          create_person: true,
          occurred_at: "2026-11-20T10:00:00Z",
          primary_value: "Check 17",
          attributes: { amount: 1250.5 },
        },
      ],
    },
  });
  const listed = await activitiesList({ throwOnError: true });
  const first: number = listed.data.results[listed.data.results.length - 1].id;
  const counted = await smartListsEvaluateRules({
    throwOnError: true,
    body: { rules: { filters: [{ kind: "activity", type: "depositCheck" }] } },
  });
  console.log("recorded", recorded.data.added, "listed", first > 0, "counted", counted.data.count);
}

void main();
