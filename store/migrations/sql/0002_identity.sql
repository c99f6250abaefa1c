-- What identity keeps beside the crosswalk (store/tables_identity.py), and the views that show it.

CREATE TABLE core.identity_event (
    recorded_from BIGINT NOT NULL,
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    other_id TEXT NOT NULL,
    records BIGINT NOT NULL,
    cause JSONB NOT NULL,
    CONSTRAINT pk_identity_event PRIMARY KEY (recorded_from, customer_id, kind, other_id),
    CONSTRAINT ck_identity_event_kind CHECK (kind in ('minted', 'merged', 'split', 'moved', 'retired', 'revived'))
);

CREATE INDEX ix_identity_event_customer_id ON core.identity_event (customer_id);

CREATE INDEX ix_identity_event_other_id ON core.identity_event (other_id);

CREATE TABLE core.review_pair (
    a_system TEXT NOT NULL,
    a_province TEXT NOT NULL,
    a_key TEXT NOT NULL,
    b_system TEXT NOT NULL,
    b_province TEXT NOT NULL,
    b_key TEXT NOT NULL,
    weight DOUBLE PRECISION NOT NULL,
    probability DOUBLE PRECISION NOT NULL,
    why TEXT NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    CONSTRAINT pk_review_pair PRIMARY KEY (a_system, a_province, a_key, b_system, b_province, b_key, recorded_from)
);

CREATE TABLE core.identity_signal (
    kind TEXT NOT NULL,
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    customer_key TEXT NOT NULL,
    detail TEXT NOT NULL,
    times BIGINT NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    CONSTRAINT pk_identity_signal PRIMARY KEY (kind, system, province, customer_key, detail, recorded_from)
);

CREATE TABLE core.customer_hierarchy (
    child_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    is_parent BOOLEAN NOT NULL,
    evidence JSONB NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    CONSTRAINT pk_customer_hierarchy PRIMARY KEY (child_id, parent_id, recorded_from)
);

CREATE INDEX ix_customer_hierarchy_parent_id ON core.customer_hierarchy (parent_id);

CREATE TABLE hub.identity_run (
    seq BIGINT NOT NULL,
    data_seq BIGINT NOT NULL,
    extract TEXT NOT NULL,
    model TEXT NOT NULL,
    customers BIGINT NOT NULL,
    source_customers BIGINT NOT NULL,
    events JSONB NOT NULL,
    ran_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_identity_run PRIMARY KEY (seq)
);

CREATE TABLE hub.steward_decision (
    decision_id BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    a_system TEXT,
    a_province TEXT,
    a_key TEXT,
    b_system TEXT,
    b_province TEXT,
    b_key TEXT,
    verdict TEXT,
    customer_id TEXT,
    attribute TEXT,
    value_digest TEXT,
    shown TEXT,
    reason TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    needs_second BOOLEAN NOT NULL,
    confirmed_by TEXT,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    withdrawn_by TEXT,
    withdrawn_reason TEXT,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    effective_from BIGINT,
    effective_to BIGINT,
    CONSTRAINT pk_steward_decision PRIMARY KEY (decision_id),
    CONSTRAINT ck_steward_decision_kind CHECK (kind in ('pair', 'value')),
    CONSTRAINT ck_steward_decision_verdict CHECK (verdict in ('same', 'different', 'unsure')),
    CONSTRAINT ck_steward_decision_whole CHECK ((kind = 'pair' and num_nulls(a_system, a_province, a_key, b_system, b_province, b_key, verdict) = 0) or (kind = 'value' and num_nulls(customer_id, attribute, value_digest) = 0)),
    CONSTRAINT ck_steward_decision_second_person CHECK (confirmed_by is null or confirmed_by <> decided_by)
);

CREATE TABLE hub.steward_value (
    decision_id BIGINT NOT NULL,
    salt TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_steward_value PRIMARY KEY (decision_id),
    CONSTRAINT fk_steward_value_decision_id FOREIGN KEY(decision_id) REFERENCES hub.steward_decision (decision_id)
);

-- `lineage_hash`: of the customer's provenance rows, so that a night compares only those that moved. `candidates`: how many
-- values had a say. Both are unknown of rows written before.
ALTER TABLE core.golden_customer ADD COLUMN lineage_hash TEXT;

ALTER TABLE core.golden_provenance ADD COLUMN candidates BIGINT;

-- An id that a portal kept from an earlier night: the customer it leads to now. An id belongs to its home, the source customer
-- it was first given to.
create view portal_v1.former_customer as
with published as (
    select derived_seq from portal_v1.publication
), home as (
    select distinct on (x.customer_id) x.customer_id, x.system, x.province, x.customer_key
    from core.crosswalk x
    join published p on x.recorded_from <= p.derived_seq
    where not exists (
        select from core.golden_customer g
        where g.customer_id = x.customer_id and hub.visible(g.recorded_from, g.recorded_to, p.derived_seq)
    )
    order by x.customer_id, x.recorded_from, x.system, x.province, x.customer_key
)
select home.customer_id as former_id, s.customer_id
from home
join portal_v1.customer_source s using (system, province, customer_key);

create view portal_v1.customer_hierarchy as
select h.child_id, h.parent_id, h.kind, h.is_parent, h.evidence
from core.customer_hierarchy h
join portal_v1.publication p on hub.visible(h.recorded_from, h.recorded_to, p.derived_seq);

create view portal_v1.customer_event as
select e.recorded_from as sequence, e.customer_id, e.kind, nullif(e.other_id, '') as other_id, e.records, e.cause
from core.identity_event e
join portal_v1.publication p on e.recorded_from <= p.derived_seq;

create view audit.identity_event as select * from core.identity_event;

create view audit.identity_run as select * from hub.identity_run;

create view audit.identity_signal as select * from core.identity_signal;

create view audit.review_pair as select * from core.review_pair;

create view audit.steward_decision as select * from hub.steward_decision;
